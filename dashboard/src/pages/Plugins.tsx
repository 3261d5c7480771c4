import { CircleAlert, Puzzle, RotateCw, SearchX, Settings2 } from "lucide";
import type { Plugin } from "../api/client.ts";
import { Empty, Failed, Loading, Page, Tag } from "../components/basics.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Switch } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { IconButton } from "../components/IconButton.tsx";
import { PluginState, ServerState } from "../components/PluginServers.tsx";
import { StateSearch } from "../components/StateSearch.tsx";
import { isSet } from "../lib/format.ts";
import { createPlugins } from "../models/plugins.ts";
import { link } from "../models/router.ts";
import type { PageProps } from "../routes.tsx";
import { PluginConfig } from "./PluginConfig.tsx";
import "../styles/plugins.css";

export function PluginsPage({ rest }: PageProps) {
  const [node, name] = rest;
  return node && name ? <PluginConfig node={node} name={name} /> : <Plugins />;
}

function Plugins() {
  const { router, i18n } = useApp();
  const { t } = i18n;
  const model = useModel(createPlugins);
  const { q = "", state = "" } = router.place.value.query;
  const nodes = model.list.data.value;
  const error = model.list.error.value;
  const wanted = (p: Plugin): boolean =>
    (state === "" || (state === "on") === p.active) && `${p.name} ${p.description}`.toLowerCase().includes(q.toLowerCase());
  return (
    <Page title={t("page.plugins")} lead={t("plugins.lead")}>
      <StateSearch
        label={t("plugins.search")}
        states={[
          ["on", t("state.running")],
          ["off", t("state.stopped")],
        ]}
      />
      {!nodes ? (
        <div class="card">{error ? <Failed error={error} retry={() => void model.list.refresh()} /> : <Loading />}</div>
      ) : (
        nodes.map((n) => {
          const shown = n.plugins.filter(wanted);
          return (
            <section key={n.node} class="card plugins" aria-label={n.node}>
              {nodes.length > 1 ? (
                <header>
                  <h2 class="mono">{n.node}</h2>
                </header>
              ) : null}
              {shown.length === 0 ? <Empty icon={n.plugins.length === 0 ? Puzzle : SearchX} title={t("table.noMatch")} /> : null}
              {shown.map((p) => (
                <article key={p.name} class="plugin">
                  <div class="plugin-text">
                    <a class="key mono" href={link("plugins", n.node, p.name)}>
                      {p.name}
                    </a>
                    <p class="soft">{p.description}</p>
                    {p.status?.servers.map((s) => (
                      <p key={s.what} class="small row">
                        <ServerState state={s.state} /> <span class="muted">{s.what}</span>
                      </p>
                    ))}
                    {isSet(p.error) ? (
                      <p class="bad small row" role="alert">
                        <Icon of={CircleAlert} size={13} /> {p.error}
                      </p>
                    ) : null}
                  </div>
                  <Tag>{p.version}</Tag>
                  <PluginState plugin={p} />
                  <div class="row acts">
                    <IconButton
                      of={RotateCw}
                      label={t("plugins.reloadOne", { name: p.name })}
                      title={t("plugins.reload")}
                      spin={model.busy.value.has(p.name)}
                      disabled={!p.active || p.required || model.busy.value.has(p.name)}
                      onClick={() => void model.reload(n.node, p)}
                    />
                    <a
                      class="btn small icon ghost"
                      href={link("plugins", n.node, p.name)}
                      aria-label={t("plugins.settingsOf", { name: p.name })}
                      title={t("page.settings")}
                    >
                      <Icon of={Settings2} size={15} />
                    </a>
                    <Switch
                      label={t(p.active ? "plugins.unloadOne" : "plugins.loadOne", { name: p.name })}
                      checked={p.active}
                      disabled={p.required || model.busy.value.has(p.name)}
                      onChange={() => void model.toggle(n.node, p)}
                    />
                  </div>
                </article>
              ))}
            </section>
          );
        })
      )}
    </Page>
  );
}
