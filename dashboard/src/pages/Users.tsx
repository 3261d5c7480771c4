import { KeyRound, Pencil, Plus, Trash2, UserRound } from "lucide";
import { useState } from "preact/hooks";
import type { User } from "../api/client.ts";
import { Empty, Failed, Loading, Page, Tag, Value } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Dialog } from "../components/Dialog.tsx";
import { TextField } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { MIN_PASSWORD, NewPassword } from "../components/PasswordDialog.tsx";
import { SimpleTable } from "../components/SimpleTable.tsx";
import { isSet } from "../lib/format.ts";
import { createUsers, type UsersModel } from "../models/users.ts";

type Open = { kind: "new" } | { kind: "tags" | "password"; user: User } | null;

export function UsersPage() {
  const { i18n, session } = useApp();
  const { t } = i18n;
  const model = useModel(createUsers);
  const [open, setOpen] = useState<Open>(null);
  const rows = model.list.data.value;
  const error = model.list.error.value;
  const me = session.who.value?.name;
  return (
    <Page
      title={t("page.users")}
      lead={t("users.lead")}
      actions={
        <button type="button" class="btn primary" onClick={() => setOpen({ kind: "new" })}>
          <Icon of={Plus} /> {t("users.add")}
        </button>
      }
    >
      <div class="table-card">
        {!rows ? (
          error ? (
            <Failed error={error} retry={() => void model.list.refresh()} />
          ) : (
            <Loading />
          )
        ) : rows.length === 0 ? (
          <Empty icon={UserRound} title={t("users.empty")} />
        ) : (
          <SimpleTable
            label={t("page.users")}
            rows={rows}
            rowKey={(u) => u.username}
            columns={[
              {
                id: "name",
                label: t("field.username"),
                lead: true,
                cell: (u) => (
                  <span class="row">
                    <span class="avatar" aria-hidden="true">
                      {[...u.username][0]?.toUpperCase()}
                    </span>
                    <span class="key">{u.username}</span>
                    {u.username === me ? <Tag tone="accent">{t("users.you")}</Tag> : null}
                  </span>
                ),
              },
              { id: "tags", label: t("field.remark"), clip: true, cell: (u) => <Value of={u.tags} /> },
            ]}
            actions={(u) => (
              <>
                <IconButton
                  of={Pencil}
                  label={t("users.editOne", { name: u.username })}
                  title={t("action.edit")}
                  onClick={() => setOpen({ kind: "tags", user: u })}
                />
                <IconButton
                  of={KeyRound}
                  label={t("users.passwordOf", { name: u.username })}
                  title={t("password.change")}
                  onClick={() => setOpen({ kind: "password", user: u })}
                />
                <IconButton
                  of={Trash2}
                  label={t("users.deleteOne", { name: u.username })}
                  title={t(u.username === "admin" ? "error.106" : "action.delete")}
                  danger
                  disabled={u.username === "admin" || u.username === me}
                  onClick={() => void model.remove(u.username)}
                />
              </>
            )}
          />
        )}
      </div>
      {open?.kind === "new" ? <Create model={model} onClose={() => setOpen(null)} /> : null}
      {open?.kind === "tags" ? <Tags model={model} user={open.user} onClose={() => setOpen(null)} /> : null}
      {open?.kind === "password" ? <Password model={model} user={open.user} onClose={() => setOpen(null)} /> : null}
    </Page>
  );
}

function Create({ model, onClose }: { model: UsersModel; onClose: () => void }) {
  const { t } = useApp().i18n;
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [tags, setTags] = useState("");
  const badName = name.includes(":") ? t("users.colon") : undefined;
  return (
    <Dialog
      title={t("users.add")}
      yes={t("action.create")}
      disabled={name.trim() === "" || badName !== undefined || password.length < MIN_PASSWORD}
      onClose={onClose}
      onYes={() => model.create(name.trim(), password, tags)}
    >
      <TextField label={t("field.username")} value={name} onInput={setName} bad={badName} maxLength={64} autofocus required />
      <NewPassword
        label={t("login.password")}
        value={password}
        onInput={setPassword}
        hint={t("password.hint", { min: MIN_PASSWORD })}
        required
      />
      <TextField label={t("field.remark")} value={tags} onInput={setTags} placeholder={t("users.tagsPlaceholder")} />
      <p class="muted small">{t("users.rights")}</p>
    </Dialog>
  );
}

function Tags({ model, user, onClose }: { model: UsersModel; user: User; onClose: () => void }) {
  const { t } = useApp().i18n;
  const [tags, setTags] = useState(isSet(user.tags) ? user.tags : "");
  return (
    <Dialog
      title={t("users.editOne", { name: user.username })}
      yes={t("action.save")}
      onClose={onClose}
      onYes={() => model.setTags(user.username, tags)}
    >
      <TextField label={t("field.remark")} value={tags} onInput={setTags} autofocus />
    </Dialog>
  );
}

function Password({ model, user, onClose }: { model: UsersModel; user: User; onClose: () => void }) {
  const { t } = useApp().i18n;
  const [old, setOld] = useState("");
  const [next, setNext] = useState("");
  return (
    <Dialog
      title={t("users.passwordOf", { name: user.username })}
      yes={t("password.change")}
      disabled={old === "" || next.length < MIN_PASSWORD}
      onClose={onClose}
      onYes={() => model.setPassword(user.username, old, next)}
    >
      <TextField label={t("password.old")} type="password" autocomplete="current-password" value={old} onInput={setOld} autofocus />
      <NewPassword label={t("password.new")} value={next} onInput={setNext} />
    </Dialog>
  );
}
