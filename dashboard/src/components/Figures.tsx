/** Numbers, each under its name. */
import type { PluginServer, VerdictCounts } from "../api/client.ts";
import { bytes } from "../lib/format.ts";
import { useApp } from "./context.ts";

export function Figures({ of, small = false }: { of: readonly (readonly [string, string])[]; small?: boolean }) {
  return (
    <dl class={small ? "figures small" : "figures"}>
      {of.map(([name, value]) => (
        <div key={name}>
          <dt class="muted small">{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** `short`: what tells how a server is; else all that was counted of it. */
export function ServerFigures({ server: s, short = false }: { server: PluginServer; short?: boolean }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const number = (n: number): string => n.toLocaleString(i18n.lang.value);
  const { queue } = s;
  const size = (n: number): string => bytes(n, i18n.lang.value);
  const queued =
    queue === undefined
      ? []
      : ([
          [t("queue.size"), queue.disk_bytes > 0 ? `${size(queue.bytes)} + ${size(queue.disk_bytes)}` : size(queue.bytes)],
          [t("queue.sent"), number(queue.sent)],
          [t("queue.dropped"), number(queue.dropped)],
          [t("queue.gaveUp"), number(queue.gave_up)],
        ] as const);
  const figures = [
    [t("server.running"), `${number(s.running)} / ${number(s.pool)}`],
    [t("server.waiting"), number(s.waiting)],
    ...queued,
    [t("server.answered"), number(s.answered)],
    ...(short ? [] : [[t("server.refused"), number(s.refused)] as const]),
    [t("server.failed"), number(s.failed)],
    [t("server.timeouts"), number(s.timeouts)],
    ...(queue !== undefined && !short ? [[t("server.retries"), number(s.retries)] as const] : []),
    ...(short || queue !== undefined
      ? []
      : ([
          [t("server.notAsked"), number(s.not_asked)],
          [t("server.busy"), number(s.busy)],
          [t("server.gone"), number(s.gone)],
          [t("server.retries"), number(s.retries)],
        ] as const)),
    ["p50", ms(s.p50)],
    ["p95", ms(s.p95)],
    ["p99", ms(s.p99)],
  ] as const;
  return <Figures of={figures} small={short} />;
}

export function VerdictFigures({ counts: c, small = false }: { counts: VerdictCounts; small?: boolean }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const number = (n: number): string => n.toLocaleString(i18n.lang.value);
  const figures = [
    [t("verdicts.allowed"), number(c.allowed)],
    [t("verdicts.denied"), number(c.denied)],
    [t("verdicts.ignored"), number(c.ignored)],
    [t("verdicts.errors"), number(c.errors)],
  ] as const;
  return <Figures of={figures} small={small} />;
}

const ms = (value: number | null): string => (value === null ? "–" : `${value.toFixed(value < 10 ? 1 : 0)} ms`);
