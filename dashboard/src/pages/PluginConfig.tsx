import { ChevronLeft, Settings2 } from "lucide";
import type { Plugin } from "../api/client.ts";
import { AccessWarnings } from "../components/AccessWarnings.tsx";
import { Accounts } from "../components/Accounts.tsx";
import { Empty, Failed, Loading, Page } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { DeadLetters } from "../components/DeadLetters.tsx";
import { Icon } from "../components/Icon.tsx";
import { PluginServers, PluginState } from "../components/PluginServers.tsx";
import { PluginSettings } from "../components/PluginSettings.tsx";
import { PluginTest } from "../components/PluginTest.tsx";
import { Scripts } from "../components/Scripts.tsx";
import { warningsOfPlugin } from "../models/access_warnings.ts";
import { accountKind } from "../models/accounts.ts";
import { createLive } from "../models/live.ts";
import { createPluginConfig } from "../models/plugin_config.ts";
import { judgesClients } from "../models/plugins.ts";

/** The plugin that runs scripts. */
const SCRIPTS = "emqx_lua_hook";

export function PluginConfig({ node, name }: { node: string; name: string }) {
  const { t } = useApp().i18n;
  const model = useModel((app) => createPluginConfig(app, node, name));
  const rows = model.rows.data.value;
  const error = model.rows.error.value;
  const plugin = model.plugin.data.value;
  const kind = plugin?.active ? accountKind(name) : null;
  const onError = rows?.find((r) => /\.(on_error|on_failure)$/.test(r.key));
  return (
    <Page
      title={name}
      lead={plugin?.description ?? ""}
      crumb={
        <a href="#/plugins" class="row">
          <Icon of={ChevronLeft} size={14} /> {t("page.plugins")}
        </a>
      }
      actions={plugin ? <PluginState plugin={plugin} /> : null}
    >
      <div class="stack">
        {plugin && (kind || onError) ? (
          <Warnings node={node} plugin={plugin} onError={onError ? model.value(onError) || onError.default : null} />
        ) : null}
        {kind ? <Accounts kind={kind} /> : null}
        {plugin?.active && name === SCRIPTS ? <Scripts /> : null}
        {plugin?.status ? <PluginServers status={plugin.status} /> : null}
        {(plugin?.status?.dead_letters ?? null) === null ? null : <DeadLetters of={{ plugin: name }} title={t("letters.title")} />}
        {!rows ? (
          <div class="card">{error ? <Failed error={error} retry={() => void model.rows.refresh()} /> : <Loading />}</div>
        ) : rows.length === 0 ? (
          <div class="card">
            <Empty icon={Settings2} title={t("plugins.noSettings")} />
          </div>
        ) : (
          <PluginSettings model={model} />
        )}
        {plugin?.testable ? <PluginTest model={model} asksClient={judgesClients(plugin)} /> : null}
      </div>
    </Page>
  );
}

/** As they would be with what stands on the page. */
function Warnings({ node, plugin, onError }: { node: string; plugin: Plugin; onError: string | null }) {
  const view = useModel(({ api, link }) => createLive(() => api.access(node), { link, every: 8000 })).data.value;
  return view ? <AccessWarnings of={warningsOfPlugin(view, plugin, onError)} /> : null;
}
