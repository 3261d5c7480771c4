/** Listeners, counters, alarms, and figures over time. */
import { Type } from "@sinclair/typebox";
import type { ListenerCommand } from "../../admin/listeners.ts";
import type { Query } from "../../admin/query.ts";
import { badValue } from "../../admin/refusals.ts";
import { allAsText } from "../../lib/exposition.ts";
import { data, ok } from "../reply.ts";
import { type AnyRoute, type Call, route } from "../route.ts";
import * as S from "../schemas.ts";

const HOUR_MS = 3_600_000;

/** A number of the query. @throws AdminError 108 */
function numberOf(query: Query, name: string): number | undefined {
  const text = query[name];
  if (text === undefined || text === "") return undefined;
  const n = Number(text);
  if (!Number.isFinite(n) || n < 0) throw badValue(name, "a number");
  return Math.floor(n);
}

const listenerCommand = (command: ListenerCommand): AnyRoute =>
  route({
    name: `${command}_listener`,
    method: "PUT",
    path: `/nodes/:node/listeners/:protocol/:port/${command}`,
    descr: `${command[0]?.toUpperCase()}${command.slice(1)} a listener on a node`,
    handle: async ({ admin, path }) => {
      await admin.listeners.command(path.protocol ?? "", path.port ?? "", command);
      return ok();
    },
  });

const history = { query: Type.Object({ limit: Type.Optional(S.int) }) };
const alarms = ({ admin }: Call): Response => data(admin.alarms.list());
const allAlarms = ({ admin }: Call): Response => data(admin.alarms.all());

export const monitoringRoutes: readonly AnyRoute[] = [
  route({
    name: "list_listeners",
    method: "GET",
    path: "/listeners/",
    descr: "A list of listeners in the cluster",
    data: S.list(S.nodeListeners),
    handle: ({ admin }) => data(admin.listeners.all()),
  }),
  route({
    name: "list_node_listeners",
    method: "GET",
    path: "/nodes/:node/listeners",
    descr: "A list of listeners on the node",
    data: S.list(S.listener),
    handle: ({ admin }) => data(admin.listeners.list()),
  }),
  listenerCommand("start"),
  listenerCommand("stop"),
  listenerCommand("restart"),
  route({
    name: "list_all_metrics",
    method: "GET",
    path: "/metrics/",
    descr: "A list of metrics of all nodes in the cluster",
    data: S.list(S.nodeMetrics),
    handle: ({ admin }) => data(admin.metrics.all()),
  }),
  route({
    name: "list_node_metrics",
    method: "GET",
    path: "/nodes/:node/metrics/",
    descr: "A list of metrics of a node",
    data: S.metrics,
    handle: ({ admin }) => data(admin.metrics.one()),
  }),
  route({
    name: "list_stats",
    method: "GET",
    path: "/stats/",
    descr: "A list of stats of all nodes in the cluster",
    data: S.list(S.nodeStats),
    handle: ({ admin }) => data(admin.metrics.stats()),
  }),
  route({
    name: "lookup_node_stats",
    method: "GET",
    path: "/nodes/:node/stats/",
    descr: "A list of stats of a node",
    data: S.stats,
    handle: ({ admin }) => data(admin.metrics.nodeStats()),
  }),
  route({
    name: "list_all_alarms",
    method: "GET",
    path: "/alarms/",
    descr: "List all alarms",
    data: S.list(S.nodeAlarms),
    handle: allAlarms,
  }),
  route({
    name: "list_node_alarms",
    method: "GET",
    path: "/alarms/:node",
    descr: "List alarms of a node",
    data: S.list(S.alarm),
    handle: alarms,
  }),
  route({
    name: "list_present_alarms",
    method: "GET",
    path: "/alarms/present",
    descr: "List all alarms that stand",
    data: S.list(S.nodeAlarms),
    handle: allAlarms,
  }),
  route({
    name: "list_node_present_alarms",
    method: "GET",
    path: "/alarms/present/:node",
    descr: "List alarms of a node that stand",
    data: S.list(S.alarm),
    handle: alarms,
  }),
  route({
    name: "list_alarm_history",
    method: "GET",
    path: "/alarms/history",
    descr: "List all alarms that were cleared",
    ...history,
    data: S.list(S.nodeAlarmHistory),
    handle: ({ admin, query }) => data(admin.alarms.allHistory(numberOf(query, "limit"))),
  }),
  route({
    name: "list_node_alarm_history",
    method: "GET",
    path: "/alarms/history/:node",
    descr: "List alarms of a node that were cleared",
    ...history,
    data: S.list(S.alarmHistory),
    handle: ({ admin, query }) => data(admin.alarms.history(numberOf(query, "limit"))),
  }),
  route({
    name: "clean_alarm_history",
    method: "DELETE",
    path: "/alarms/history",
    keeps: "or tell",
    descr: "Forget the alarms that were cleared",
    handle: ({ admin }) => {
      admin.alarms.clearHistory();
      return ok();
    },
  }),
  route({
    name: "monitor_current",
    method: "GET",
    path: "/monitor/current",
    descr: "Rates and gauges of the last minutes",
    query: Type.Object({ since: Type.Optional(Type.Integer({ description: "Unix ms: only newer samples" })) }),
    data: S.monitorCurrent,
    handle: ({ admin, query }) => data(admin.monitor.current(numberOf(query, "since") ?? 0)),
  }),
  route({
    name: "monitor_history",
    method: "GET",
    path: "/monitor",
    descr: "Rates and gauges of the last days, in steps of a minute or more",
    query: Type.Object({
      from: Type.Optional(Type.Integer({ description: "Unix ms; default an hour ago" })),
      to: Type.Optional(Type.Integer({ description: "Unix ms; default now" })),
      step: Type.Optional(Type.Integer({ description: "Seconds, a multiple of 60" })),
    }),
    data: S.monitorHistory,
    handle: ({ admin, query }) => {
      const to = numberOf(query, "to") ?? admin.now();
      return data(admin.monitor.history(numberOf(query, "from") ?? to - HOUR_MS, to, numberOf(query, "step")));
    },
  }),
  route({
    name: "prometheus_metrics",
    method: "GET",
    path: "/prometheus/metrics",
    descr: "Counters and gauges as Prometheus text",
    type: "text/plain; version=0.0.4",
    handle: ({ admin }) =>
      new Response(allAsText(admin.figures()), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } }),
  }),
];
