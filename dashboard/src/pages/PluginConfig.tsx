import { ChevronLeft, RotateCcw, Settings2 } from "lucide";
import { useId } from "preact/hooks";
import type { PluginConfigRow } from "../api/client.ts";
import { Accounts } from "../components/Accounts.tsx";
import { Empty, Failed, Loading, Page, Status, Tag } from "../components/basics.tsx";
import { ConfigInput } from "../components/ConfigInput.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Icon } from "../components/Icon.tsx";
import { PluginServers } from "../components/PluginServers.tsx";
import { PluginTest } from "../components/PluginTest.tsx";
import { accountKind } from "../models/accounts.ts";
import { createPluginConfig, type PluginConfigModel } from "../models/plugins.ts";

export function PluginConfig({ node, name }: { node: string; name: string }) {
  const { t } = useApp().i18n;
  const model = useModel((app) => createPluginConfig(app, node, name));
  const rows = model.rows.data.value;
  const error = model.rows.error.value;
  const plugin = model.plugin.data.value;
  const save = (e: Event): void => {
    e.preventDefault();
    if (model.dirty.peek()) void model.save();
  };
  // Wildcard keys (`web.hook.rule.$name`) stand for many: they belong into the file.
  const plain = rows?.filter((r) => !r.key.includes("$")) ?? [];
  const wild = rows?.filter((r) => r.key.includes("$")) ?? [];
  const kind = plugin?.active ? accountKind(name) : null;
  return (
    <Page
      title={name}
      lead={plugin?.description ?? ""}
      crumb={
        <a href="#/plugins" class="row">
          <Icon of={ChevronLeft} size={14} /> {t("page.plugins")}
        </a>
      }
      actions={plugin ? <Status tone={plugin.active ? "ok" : "off"}>{t(plugin.active ? "state.running" : "state.stopped")}</Status> : null}
    >
      <div class="stack">
        {kind ? <Accounts kind={kind} /> : null}
        {plugin?.status ? <PluginServers status={plugin.status} /> : null}
        {!rows ? (
          <div class="card">{error ? <Failed error={error} retry={() => void model.rows.refresh()} /> : <Loading />}</div>
        ) : rows.length === 0 ? (
          <div class="card">
            <Empty icon={Settings2} title={t("plugins.noSettings")} />
          </div>
        ) : (
          <form class="stack" onSubmit={save}>
            <section class="card settings-list">
              {plain.map((r) => (
                <Row key={r.key} row={r} model={model} />
              ))}
            </section>
            {wild.length > 0 ? (
              <p class="muted small">
                {t("plugins.wildcards")} <code>{wild.map((r) => r.key).join(", ")}</code>
              </p>
            ) : null}
            <div class="save-bar">
              <span class="grow muted small">{t("plugins.saveText")}</span>
              <button
                type="button"
                class="btn"
                disabled={!model.dirty.value}
                onClick={() => {
                  model.edits.value = {};
                }}
              >
                {t("action.discard")}
              </button>
              <button type="submit" class="btn primary" disabled={!model.dirty.value}>
                {t("action.save")}
              </button>
            </div>
          </form>
        )}
        {plugin?.testable ? <PluginTest model={model} /> : null}
      </div>
    </Page>
  );
}

function Row({ row, model }: { row: PluginConfigRow; model: PluginConfigModel }) {
  const { t } = useApp().i18n;
  const id = useId();
  const value = model.value(row);
  const changed = row.key in model.edits.value;
  return (
    <div class={changed ? "setting changed" : "setting"}>
      <div>
        <label for={id} class="mono key">
          {row.key}
        </label>
        <p class="muted small" id={`${id}-d`}>
          {row.doc || row.desc}
        </p>
      </div>
      <div class="row setting-value">
        <div class="grow">
          <ConfigInput
            id={id}
            label={row.key}
            type={row.type}
            value={value}
            placeholder={row.default}
            options={row.enum}
            secret={row.secret}
            onChange={(v) => model.edit(row, v)}
          />
        </div>
        <button
          type="button"
          class="btn small icon ghost"
          disabled={value === ""}
          aria-label={t("settings.resetOne", { key: row.key })}
          title={t("settings.reset")}
          onClick={() => model.edit(row, "")}
        >
          <Icon of={RotateCcw} size={14} />
        </button>
      </div>
      <Tag>{row.type}</Tag>
    </div>
  );
}
