import { Eye, KeyRound, Pencil, Plus, Trash2 } from "lucide";
import { useState } from "preact/hooks";
import type { AppRow } from "../api/client.ts";
import { CopyButton, Empty, Failed, Loading, Page, Tag, Time, Value } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Dialog } from "../components/Dialog.tsx";
import { Switch, TextField } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { SimpleTable } from "../components/SimpleTable.tsx";
import { isSet } from "../lib/format.ts";
import { createAddresses } from "../models/addresses.ts";
import { type AppsModel, appExpired, createApps, proposeId } from "../models/apps.ts";

export function Apps() {
  const { t } = useApp().i18n;
  const model = useModel(createApps);
  const [editing, setEditing] = useState<AppRow | "new" | null>(null);
  const rows = model.list.data.value;
  const error = model.list.error.value;
  const add = (
    <button type="button" class="btn primary" onClick={() => setEditing("new")}>
      <Icon of={Plus} /> {t("apps.add")}
    </button>
  );
  return (
    <Page title={t("page.apps")} lead={t("apps.lead")} actions={add}>
      <div class="table-card">
        {!rows ? (
          error ? (
            <Failed error={error} retry={() => void model.list.refresh()} />
          ) : (
            <Loading />
          )
        ) : rows.length === 0 ? (
          <Empty icon={KeyRound} title={t("apps.empty")} actions={add}>
            <p>{t("apps.emptyText")}</p>
          </Empty>
        ) : (
          <SimpleTable
            label={t("page.apps")}
            rows={rows}
            rowKey={(a) => a.app_id}
            columns={[
              {
                id: "id",
                label: "AppID",
                lead: true,
                cell: (a) => (
                  <span class="row">
                    <span class="key mono">{a.app_id}</span> <CopyButton text={a.app_id} />
                  </span>
                ),
              },
              { id: "name", label: t("field.name"), clip: true, cell: (a) => <Value of={a.name} /> },
              { id: "desc", label: t("field.remark"), clip: true, wideOnly: true, cell: (a) => <Value of={a.desc} /> },
              {
                id: "expired",
                label: t("field.expires"),
                cell: (a) =>
                  typeof a.expired === "number" ? (
                    appExpired(a, Date.now()) ? (
                      <Tag tone="danger">{t("apps.expired")}</Tag>
                    ) : (
                      <Time ms={a.expired * 1000} />
                    )
                  ) : (
                    t("never")
                  ),
              },
              {
                id: "status",
                label: t("apps.enabled"),
                cell: (a) => (
                  <Switch
                    label={t("apps.enable", { id: a.app_id })}
                    checked={a.status}
                    onChange={(on) => void model.update(a, { status: on })}
                  />
                ),
              },
            ]}
            actions={(a) => (
              <>
                <IconButton
                  of={Eye}
                  label={t("apps.secretOf", { id: a.app_id })}
                  title={t("apps.showSecret")}
                  onClick={() => void model.reveal(a.app_id)}
                />
                <IconButton
                  of={Pencil}
                  label={t("apps.editOne", { id: a.app_id })}
                  title={t("action.edit")}
                  onClick={() => setEditing(a)}
                />
                <IconButton
                  of={Trash2}
                  label={t("apps.deleteOne", { id: a.app_id })}
                  title={t("action.delete")}
                  danger
                  onClick={() => void model.remove(a)}
                />
              </>
            )}
          />
        )}
      </div>
      {editing ? <Edit row={editing === "new" ? null : editing} model={model} onClose={() => setEditing(null)} /> : null}
      {model.secret.value && !editing ? <Secret model={model} shown={model.secret.value} /> : null}
    </Page>
  );
}

/** `<input type=datetime-local>` speaks local time without zone. */
const toInput = (seconds: number | string): string => {
  if (typeof seconds !== "number") return "";
  const d = new Date(seconds * 1000);
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};

function Edit({ row, model, onClose }: { row: AppRow | null; model: AppsModel; onClose: () => void }) {
  const { t } = useApp().i18n;
  const [id, setId] = useState(row?.app_id ?? proposeId());
  const [name, setName] = useState(row && isSet(row.name) ? row.name : "");
  const [desc, setDesc] = useState(row && isSet(row.desc) ? row.desc : "");
  const [until, setUntil] = useState(row ? toInput(row.expired) : "");
  const expired = until === "" ? null : Math.floor(new Date(until).getTime() / 1000);
  const save = (): Promise<boolean> =>
    row
      ? model.update(row, { name, desc, expired: expired ?? "undefined" })
      : model.create({ app_id: id.trim(), name, desc, status: true, ...(expired === null ? {} : { expired }) });
  return (
    <Dialog
      title={row ? t("apps.editOne", { id: row.app_id }) : t("apps.add")}
      yes={t(row ? "action.save" : "action.create")}
      disabled={id.trim() === "" || name.trim() === ""}
      onClose={onClose}
      onYes={save}
    >
      <TextField label="AppID" value={id} onInput={setId} disabled={row !== null} hint={row ? "" : t("apps.idHint")} mono />
      <TextField label={t("field.name")} value={name} onInput={setName} placeholder={t("apps.namePlaceholder")} autofocus required />
      <TextField label={t("field.expires")} type="datetime-local" value={until} onInput={setUntil} hint={t("apps.expiresHint")} />
      <TextField label={t("field.remark")} value={desc} onInput={setDesc} placeholder={t("optional")} />
    </Dialog>
  );
}

function Secret({ model, shown }: { model: AppsModel; shown: { app_id: string; secret: string; fresh: boolean } }) {
  const { t } = useApp().i18n;
  const { api } = useModel((a) => createAddresses(a, location.hostname));
  const command = `curl -u '${shown.app_id}:${shown.secret}' ${api.value}/nodes`;
  return (
    <Dialog
      title={t(shown.fresh ? "apps.created" : "apps.secret")}
      width={580}
      no={t("action.done")}
      onClose={() => {
        model.secret.value = null;
      }}
    >
      <p class="soft">{t("apps.secretText")}</p>
      {(
        [
          ["AppID", shown.app_id],
          ["AppSecret", shown.secret],
        ] as const
      ).map(([name, value]) => (
        <div class="field" key={name}>
          <span class="label">{name}</span>
          <div class="row secret-line">
            <code class="grow">{value}</code>
            <CopyButton text={value} />
          </div>
        </div>
      ))}
      <div class="field">
        <span class="label">{t("apps.try")}</span>
        <div class="row secret-line">
          <code class="grow">{command}</code>
          <CopyButton text={command} />
        </div>
      </div>
    </Dialog>
  );
}
