/** Servers and services that rules write to: how they are, who uses them, and the form that tries them before they are saved. */
import { CircleAlert, Pencil, Plus, RotateCw, Server, Trash2 } from "lucide";
import { useState } from "preact/hooks";
import { Empty, Loading, Page, Status, Tag } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { ServerState } from "../components/PluginServers.tsx";
import { ResourceDialog } from "../components/ResourceDialog.tsx";
import { RuleEngineOff } from "../components/RuleEngineOff.tsx";
import { SimpleTable } from "../components/SimpleTable.tsx";
import { aliveOf, createResources, type ResourceView } from "../models/resources.ts";
import { link } from "../models/router.ts";
import "../styles/plugins.css";
import "../styles/rules.css";

export function Resources() {
  const { t } = useApp().i18n;
  const model = useModel(createResources);
  const [editing, setEditing] = useState<ResourceView | "new" | null>(null);
  const rows = model.list.data.value;
  const types = model.types.data.value;
  const error = model.list.error.value ?? model.types.error.value;
  const titleOf = (type: string): string => types?.find((k) => k.name === type)?.title || type;
  const add =
    types && types.length > 0 ? (
      <button type="button" class="btn primary" onClick={() => setEditing("new")}>
        <Icon of={Plus} /> {t("resources.new")}
      </button>
    ) : null;
  const retry = async (): Promise<void> => {
    await Promise.all([model.list.refresh(), model.types.refresh()]);
  };
  return (
    <Page title={t("page.resources")} lead={t("resources.lead")} actions={add}>
      <div class="table-card">
        {!rows || !types ? (
          error ? (
            <RuleEngineOff error={error} retry={retry} />
          ) : (
            <Loading />
          )
        ) : rows.length === 0 ? (
          <Empty icon={Server} title={t("resources.empty")} actions={add}>
            <p>{t(types.length > 0 ? "resources.emptyText" : "resources.noTypes")}</p>
          </Empty>
        ) : (
          <SimpleTable
            label={t("page.resources")}
            rows={rows}
            rowKey={(r) => r.id}
            columns={[
              { id: "name", label: t("field.name"), lead: true, cell: (r) => <span class="key">{r.name}</span> },
              { id: "type", label: t("resources.type"), cell: (r) => titleOf(r.type) },
              { id: "state", label: t("field.state"), cell: (r) => <Health of={r} /> },
              {
                id: "used",
                label: t("resources.usedBy"),
                cell: (r) =>
                  r.used_by.length === 0 ? (
                    <span class="muted">–</span>
                  ) : (
                    <span class="row">
                      {r.used_by.slice(0, 5).map((name) => (
                        <a key={name} href={link("rules", { q: name })}>
                          {name}
                        </a>
                      ))}
                      {r.used_by.length > 5 ? <Tag>+{r.used_by.length - 5}</Tag> : null}
                    </span>
                  ),
              },
            ]}
            actions={(r) => (
              <>
                <IconButton
                  of={RotateCw}
                  label={t("resources.restartOne", { name: r.name })}
                  title={t("resources.restart")}
                  onClick={() => void model.restart(r)}
                />
                <IconButton
                  of={Pencil}
                  label={t("resources.editOne", { name: r.name })}
                  title={t("action.edit")}
                  disabled={!types.some((k) => k.name === r.type)}
                  onClick={() => setEditing(r)}
                />
                <IconButton
                  of={Trash2}
                  label={t("resources.deleteOne", { name: r.name })}
                  title={t("action.delete")}
                  danger
                  onClick={() => void model.remove(r)}
                />
              </>
            )}
          />
        )}
      </div>
      {editing && types && rows ? (
        <ResourceDialog
          types={editing === "new" ? types : types.filter((k) => k.name === editing.type)}
          row={editing === "new" ? null : editing}
          all={rows}
          onClose={() => setEditing(null)}
          onSaved={() => model.list.refresh()}
        />
      ) : null}
    </Page>
  );
}

function Health({ of }: { of: ResourceView }) {
  const { t } = useApp().i18n;
  const servers = of.health?.servers ?? [];
  const error = of.reason ?? servers.find((s) => s.state !== "up" && s.lastError !== null)?.lastError ?? null;
  return (
    <div class="stack tight health">
      {servers.length === 0 ? (
        <Status tone={aliveOf(of) ? "ok" : "danger"}>{t(aliveOf(of) ? "resources.alive" : "resources.dead")}</Status>
      ) : (
        servers.map((s, i) => (
          <span key={`${i} ${s.what}`} class="row small">
            <ServerState state={s.state} /> <span class="muted">{s.what}</span>
          </span>
        ))
      )}
      {error === null ? null : (
        <span class="bad small row">
          <Icon of={CircleAlert} size={13} /> <span class="grow">{error}</span>
        </span>
      )}
    </div>
  );
}
