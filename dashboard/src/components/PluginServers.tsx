/** The servers a plugin asks: how they are, and what came of asking them. */
import type { PluginServer, PluginStatus, VerdictCounts } from "../api/client.ts";
import { Status } from "./basics.tsx";
import { useApp } from "./context.ts";

const TONES = { up: "ok", degraded: "warn", connecting: "off", down: "danger" } as const;

export function ServerState({ state }: { state: PluginServer["state"] }) {
  const { t } = useApp().i18n;
  return <Status tone={TONES[state]}>{t(`server.${state}`)}</Status>;
}

export function PluginServers({ status }: { status: PluginStatus }) {
  const { t } = useApp().i18n;
  return (
    <>
      {status.servers.map((s) => (
        <section key={s.what} class="card" aria-label={s.what}>
          <header>
            <h2>{s.what}</h2>
            <ServerState state={s.state} />
          </header>
          {s.state !== "up" && s.last_error !== null ? (
            <p class="banner danger inset" role="alert">
              {s.last_error}
            </p>
          ) : null}
          <dl class="figures">
            <Figure name={t("server.answered")} value={String(s.answered)} />
            <Figure name={t("server.refused")} value={String(s.refused)} />
            <Figure name={t("server.failed")} value={String(s.failed + s.timeouts + s.busy)} />
            <Figure name={t("server.running")} value={`${s.running} / ${s.pool}`} />
            <Figure name={t("server.waiting")} value={String(s.waiting)} />
            <Figure name="p50 / p95 / p99" value={`${ms(s.p50)} / ${ms(s.p95)} / ${ms(s.p99)}`} />
          </dl>
        </section>
      ))}
      <section class="card" aria-label={t("server.title")}>
        <header>
          <h2>{t("server.title")}</h2>
        </header>
        <dl class="figures">
          {status.authentication === null ? null : <Figure name={t("server.authentication")} value={verdicts(status.authentication)} />}
          {status.acl === null ? null : <Figure name={t("server.acl")} value={verdicts(status.acl)} />}
        </dl>
        <p class="muted small body">{t("server.verdicts")}</p>
      </section>
    </>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt class="muted small">{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

const ms = (value: number | null): string => (value === null ? "–" : `${value.toFixed(value < 10 ? 1 : 0)} ms`);
const verdicts = (c: VerdictCounts): string => `${c.allowed} / ${c.denied} / ${c.ignored} / ${c.errors}`;
