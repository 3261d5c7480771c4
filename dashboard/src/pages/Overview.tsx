import { BellRing, Server } from "lucide";
import type { MonitorPoint, NodeRow } from "../api/client.ts";
import { Failed, Page, Status, Tag } from "../components/basics.tsx";
import { Chart, Legend, type Series } from "../components/Chart.tsx";
import { useApp, useModel } from "../components/context.ts";
import { Segments } from "../components/form.tsx";
import { Icon } from "../components/Icon.tsx";
import { bytes, compact, duration, integer, percent } from "../lib/format.ts";
import type { TextKey } from "../models/i18n.ts";
import { createLive } from "../models/live.ts";
import { createOverview, type Overview as Model, RANGES } from "../models/overview.ts";
import "../styles/overview.css";

export function Overview() {
  const app = useApp();
  const { t } = app.i18n;
  const model = useModel(createOverview);
  const alarms = useModel((a) => createLive(() => a.api.alarms(), { link: a.link, every: 10_000 }));
  const standing = (alarms.data.value ?? []).flatMap((n) => n.alarms);
  return (
    <Page title={t("page.overview")} lead={t("overview.lead")} actions={<RangeChoice model={model} />}>
      {standing.length > 0 ? (
        <a class="banner danger" href="#/alarms">
          <Icon of={BellRing} />
          <span>
            {t("alarms.banner", { n: standing.length })}:{" "}
            {standing
              .map((a) => a.id)
              .slice(0, 3)
              .join(", ")}
          </span>
        </a>
      ) : null}
      <div class="stack">
        <Totals model={model} />
        <Charts model={model} />
        <Nodes model={model} />
      </div>
    </Page>
  );
}

function RangeChoice({ model }: { model: Model }) {
  const { t } = useApp().i18n;
  return (
    <Segments
      label={t("overview.range")}
      value={model.range.value}
      options={RANGES.map((r) => [r, t(`range.${r}`)] as const)}
      onChange={(r) => model.setRange(r)}
    />
  );
}

function Totals({ model }: { model: Model }) {
  const { t, lang } = useApp().i18n;
  const now = model.current.value;
  const stats = model.stats.data.value ?? [];
  const max = (name: string): number => stats.reduce((n, s) => n + Number(s[`${name}/max`] ?? 0), 0);
  const gauge = (href: string, name: TextKey, value: number | undefined, top?: number) => (
    <a class="stat" href={href} key={name}>
      <span class="name">{t(name)}</span>
      <span class="value">{value === undefined ? <span class="skeleton">0000</span> : integer(value, lang.value)}</span>
      <span class="sub">{top === undefined ? "" : t("overview.most", { value: integer(top, lang.value) })}</span>
    </a>
  );
  const rate = (name: TextKey, value: number | undefined, sub: string) => (
    <div class="stat" key={name}>
      <span class="name">{t(name)}</span>
      <span class="value">
        {value === undefined ? <span class="skeleton">0000</span> : compact(value, lang.value)}
        <small> {t("unit.perSecond")}</small>
      </span>
      <span class="sub">{sub}</span>
    </div>
  );
  return (
    <div class="stats totals">
      {gauge("#/clients", "overview.connections", now?.connections, max("connections"))}
      {gauge("#/sessions", "overview.sessions", now?.sessions, max("sessions"))}
      {gauge("#/subscriptions", "overview.subscriptions", now?.subscriptions, max("subscriptions"))}
      {gauge("#/topics", "overview.topics", now?.topics, max("topics"))}
      {gauge("#/retained", "overview.retained", now?.retained, max("retained"))}
      {rate("overview.in", now?.received, now ? t("unit.bytesPerSecond", { size: bytes(now.bytes_received, lang.value) }) : "")}
      {rate("overview.out", now?.sent, now ? t("unit.bytesPerSecond", { size: bytes(now.bytes_sent, lang.value) }) : "")}
      {rate("overview.dropped", now?.dropped, t("overview.droppedSub"))}
    </div>
  );
}

interface ChartSpec {
  title: TextKey;
  fields: readonly (readonly [keyof MonitorPoint, TextKey])[];
  format: (n: number, lang: string) => string;
  binary?: boolean;
}

const CHARTS: readonly ChartSpec[] = [
  {
    title: "chart.messages",
    fields: [
      ["received", "chart.in"],
      ["sent", "chart.out"],
      ["dropped", "chart.dropped"],
    ],
    format: compact,
  },
  {
    title: "chart.clients",
    fields: [
      ["connections", "overview.connections"],
      ["subscriptions", "overview.subscriptions"],
      ["topics", "overview.topics"],
    ],
    format: compact,
  },
  {
    title: "chart.traffic",
    fields: [
      ["bytes_received", "chart.in"],
      ["bytes_sent", "chart.out"],
    ],
    format: bytes,
    binary: true,
  },
  {
    title: "chart.load",
    fields: [
      ["cpu", "chart.cpu"],
      ["loop_delay", "chart.loop"],
    ],
    format: compact,
  },
];

function Charts({ model }: { model: Model }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const points = model.points.value;
  const { from, to } = model.window.value;
  const times = points.map((p) => p.at_ms);
  if (model.live.error.value && points.length === 0)
    return (
      <section class="card">
        <Failed error={model.live.error.value} retry={() => void model.live.refresh()} />
      </section>
    );
  return (
    <div class="grid cols-2">
      {CHARTS.map(({ title, fields, format, binary = false }) => {
        const series: Series[] = fields.map(([field, name]) => ({ label: t(name), values: points.map((p) => p[field]) }));
        const show = (n: number): string => format(n, lang);
        return (
          <section class="card" key={title}>
            <header>
              <h2>{t(title)}</h2>
              <Legend series={series} format={show} />
            </header>
            <div class="chart-body">
              <Chart label={t(title)} times={times} series={series} format={show} from={from} to={to} sync="overview" binary={binary} />
            </div>
          </section>
        );
      })}
    </div>
  );
}

function Nodes({ model }: { model: Model }) {
  const { t } = useApp().i18n;
  const nodes = model.nodes.data.value;
  return (
    <section class="card">
      <header>
        <h2>{t("overview.nodes")}</h2>
      </header>
      <div class="nodes">
        {nodes?.map((n) => (
          <NodeCard key={n.name} node={n} product={model.brokers.data.value?.find((b) => b.node === n.name)?.product_version} />
        )) ?? <span class="skeleton" style={{ height: "96px", margin: "0 18px 18px" }} />}
      </div>
    </section>
  );
}

const LEVEL_TONES = { normal: "", high: "warn", critical: "danger" } as const;

function NodeCard({ node, product }: { node: NodeRow; product: string | undefined }) {
  const { i18n } = useApp();
  const { t } = i18n;
  const lang = i18n.lang.value;
  const used = node.os_memory_total - node.os_memory_free;
  const heap = bytes(node.heap_used, lang);
  const share = node.os_memory_total > 0 ? (used / node.os_memory_total) * 100 : 0;
  const tone = (p: number): string => (p > 90 ? "danger" : p > 75 ? "warn" : "");
  return (
    <article class="node">
      <div class="row">
        <Icon of={Server} size={18} />
        <h3 class="mono">{node.name}</h3>
        <Status tone={node.node_status === "Running" ? "ok" : "warn"}>
          {t(node.node_status === "Running" ? "state.running" : "state.stopped")}
        </Status>
        <Tag>{product ? `BaoMQ ${product}` : node.version}</Tag>
        <span class="muted small">{t("node.up", { time: duration(node.uptime_ms / 1000, lang) })}</span>
      </div>
      <div class="node-figures">
        <Figure
          name={t("node.cpu")}
          value={percent(node.cpu, lang)}
          meter={node.cpu}
          tone={tone(node.cpu)}
          sub={t("node.load", { load: `${node.load1} · ${node.load5} · ${node.load15}` })}
        />
        <Figure
          name={t("node.memory")}
          value={bytes(node.rss, lang)}
          sub={node.memory_limit > 0 ? t("node.ofLimit", { limit: bytes(node.memory_limit, lang), heap }) : t("node.heap", { heap })}
          {...(node.memory_limit > 0 && { meter: (node.rss / node.memory_limit) * 100 })}
          tone={LEVEL_TONES[node.memory_level]}
        />
        <Figure
          name={t("node.system")}
          value={percent(share, lang)}
          meter={share}
          tone={tone(share)}
          sub={t("node.of", { used: bytes(used, lang), total: bytes(node.os_memory_total, lang) })}
        />
        <Figure name={t("node.loop")} value={`${compact(node.loop_delay, lang)} ms`} sub={t("node.loopSub")} />
        <Figure
          name={t("overview.connections")}
          value={integer(node.connections, lang)}
          sub={t("node.fds", { n: integer(node.max_fds, lang) })}
        />
      </div>
      <p class="small node-held">
        {node.memory_level === "normal" ? null : (
          <Tag tone={LEVEL_TONES[node.memory_level]}>{t(node.memory_level === "high" ? "node.level.high" : "node.level.critical")}</Tag>
        )}
        <span class="muted">
          {t("node.held", {
            queues: bytes(node.memory_queues, lang),
            retained: bytes(node.memory_retained, lang),
            sessions: bytes(node.memory_sessions, lang),
            buffers: bytes(node.memory_buffers, lang),
          })}
        </span>
      </p>
    </article>
  );
}

function Figure({ name, value, sub, meter, tone = "" }: { name: string; value: string; sub: string; meter?: number; tone?: string }) {
  return (
    <div class="figure">
      <span class="muted small">{name}</span>
      <b>{value}</b>
      {meter === undefined ? null : (
        <div class={`meter ${tone}`} aria-hidden="true">
          <i style={{ width: `${Math.min(100, Math.max(1, meter))}%` }} />
        </div>
      )}
      <span class="muted small">{sub}</span>
    </div>
  );
}
