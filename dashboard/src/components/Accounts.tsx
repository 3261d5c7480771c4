import { KeyRound, Plus, Trash2 } from "lucide";
import { useState } from "preact/hooks";
import type { AccountKind } from "../api/client.ts";
import { type AccountsModel, createAccounts } from "../models/accounts.ts";
import { useApp, useModel } from "./context.ts";
import { Dialog } from "./Dialog.tsx";
import { SearchBox, TextField } from "./form.tsx";
import { Icon } from "./Icon.tsx";
import { IconButton } from "./IconButton.tsx";
import { Pager } from "./Pager.tsx";
import { Loaded } from "./Records.tsx";
import { SimpleTable } from "./SimpleTable.tsx";

/** So many need neither search nor pages. */
const LOOKED_THROUGH = 10;

/** The accounts of an authentication plugin: on its page, and on that of the access chain. */
export function Accounts({ kind, title }: { kind: AccountKind; title?: string }) {
  const { t } = useApp().i18n;
  const model = useModel((app) => createAccounts(app, kind));
  const [open, setOpen] = useState<{ name: string | null } | null>(null);
  const all = model.names.data.value;
  const heading = title ?? t("accounts.title");
  return (
    <>
      <section class="card accounts" aria-label={heading}>
        <header>
          <h2>{heading}</h2>
          {all && all.length > LOOKED_THROUGH ? (
            <SearchBox value={model.search.value} label={t("accounts.search")} onSearch={model.find} />
          ) : null}
          <button type="button" class="btn small" onClick={() => setOpen({ name: null })}>
            <Icon of={Plus} size={14} /> {t("accounts.add")}
          </button>
        </header>
        <Loaded of={model.names}>
          {(names) =>
            model.count.value === 0 ? (
              <p class="body muted" role="status">
                {names.length > 0 ? t("table.noMatch") : `${t("accounts.lead")} ${t("accounts.empty")}`}
              </p>
            ) : (
              <SimpleTable
                label={heading}
                rows={model.shown.value}
                rowKey={(n) => n}
                columns={[
                  {
                    id: "name",
                    label: t(kind === "username" ? "field.username" : "field.clientId"),
                    lead: true,
                    cell: (n) => <span class="key">{n}</span>,
                  },
                ]}
                actions={(n) => (
                  <>
                    <IconButton
                      of={KeyRound}
                      label={t("accounts.password", { name: n })}
                      title={t("password.change")}
                      onClick={() => setOpen({ name: n })}
                    />
                    <IconButton
                      of={Trash2}
                      label={t("accounts.deleteOne", { name: n })}
                      title={t("action.delete")}
                      danger
                      onClick={() => void model.remove(n)}
                    />
                  </>
                )}
              />
            )
          }
        </Loaded>
        {all && all.length > LOOKED_THROUGH ? <Pager model={model} /> : null}
      </section>
      {open ? <Edit kind={kind} name={open.name} model={model} onClose={() => setOpen(null)} /> : null}
    </>
  );
}

function Edit({ kind, name, model, onClose }: { kind: AccountKind; name: string | null; model: AccountsModel; onClose: () => void }) {
  const { t } = useApp().i18n;
  const [text, setText] = useState(name ?? "");
  const [password, setPassword] = useState("");
  const save = (): Promise<boolean> => (name === null ? model.create(text, password) : model.setPassword(name, password));
  return (
    <Dialog
      title={name === null ? t("accounts.add") : t("accounts.password", { name })}
      yes={t(name === null ? "action.create" : "action.save")}
      disabled={text === "" || password === ""}
      onClose={onClose}
      onYes={save}
    >
      {name === null ? (
        <TextField label={t(kind === "username" ? "field.username" : "field.clientId")} value={text} onInput={setText} autofocus />
      ) : null}
      <TextField
        label={t("login.password")}
        type="password"
        autocomplete="new-password"
        value={password}
        onInput={setPassword}
        autofocus={name !== null}
      />
    </Dialog>
  );
}
