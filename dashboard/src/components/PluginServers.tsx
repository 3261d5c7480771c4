/** A plugin's state, the servers it asks, and what came of asking them. */
import { CircleAlert } from "lucide";
import type { Plugin, PluginServer, PluginStatus } from "../api/client.ts";
import { stateOf } from "../models/plugins.ts";
import { Status } from "./basics.tsx";
import { useApp } from "./context.ts";
import { ServerFigures, VerdictFigures } from "./Figures.tsx";
import { Icon } from "./Icon.tsx";

const TONES = { up: "ok", degraded: "warn", connecting: "off", down: "danger" } as const;
const STATES = {
  stopped: ["off", "state.stopped"],
  running: ["ok", "state.running"],
  connecting: ["off", "plugins.connecting"],
  degraded: ["warn", "plugins.degraded"],
  down: ["warn", "plugins.down"],
} as const;

export function PluginState({ plugin }: { plugin: Plugin }) {
  const [tone, text] = STATES[stateOf(plugin)];
  return <Status tone={tone}>{useApp().i18n.t(text)}</Status>;
}

export function ServerState({ state }: { state: PluginServer["state"] }) {
  const { t } = useApp().i18n;
  return <Status tone={TONES[state]}>{t(`server.${state}`)}</Status>;
}

export function PluginServers({ status: { servers, authentication, acl } }: { status: PluginStatus }) {
  const { t } = useApp().i18n;
  return (
    <>
      {servers.map((s) => (
        <section key={s.what} class="card" aria-label={s.what}>
          <header>
            <h2>{s.what}</h2>
            <ServerState state={s.state} />
          </header>
          {s.state !== "up" && s.last_error !== null ? (
            <p class="banner danger inset" role="alert">
              <Icon of={CircleAlert} /> {s.last_error}
            </p>
          ) : null}
          <ServerFigures server={s} />
          {s.p50 === null ? null : <p class="muted small body">{t("server.times")}</p>}
        </section>
      ))}
      {authentication === null && acl === null ? null : (
        <section class="card" aria-label={t("server.title")}>
          <header>
            <h2>{t("server.title")}</h2>
          </header>
          {authentication === null ? null : (
            <>
              <h3 class="inset">{t("server.authentication")}</h3>
              <VerdictFigures counts={authentication} />
            </>
          )}
          {acl === null ? null : (
            <>
              <h3 class="inset">{t("server.acl")}</h3>
              <VerdictFigures counts={acl} />
            </>
          )}
        </section>
      )}
    </>
  );
}
