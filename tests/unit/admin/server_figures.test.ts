/** What a plugin tells of its server, as monitoring systems have it: each number under its name, with its labels, and nowhere else. */
import { expect, test } from "bun:test";
import { allAsText } from "../../../server/lib/exposition.ts";
import { definePlugin } from "../../../server/plugins/plugin.ts";
import type { PluginReport, ServerReport } from "../../../server/plugins/reports.ts";
import { manage } from "../plugins/harness.ts";
import { administer } from "./harness.ts";

/** No two numbers are alike. */
const SERVER: ServerReport = {
  what: "PostgreSQL at 127.0.0.1:5432",
  state: "degraded",
  since: 1_001,
  lastError: "it is tired",
  lastErrorAt: 1_002,
  running: 11,
  waiting: 12,
  pool: 13,
  calls: 14,
  answered: 15,
  refused: 16,
  failed: 17,
  timeouts: 18,
  busy: 19,
  gone: 20,
  notAsked: 21,
  retries: 22,
  p50: 2_300,
  p95: 2_400,
  p99: 2_500,
};
const VERDICTS: Pick<PluginReport, "authentication" | "acl"> = {
  authentication: { allowed: 31, denied: 32, ignored: 33, errors: 34 },
  acl: { allowed: 41, denied: 42, ignored: 43, errors: 44 },
};

const NAME = "emqx_auth_told";

/** The lines of the page that speak of the plugin, and those that say what kind of figure they are. */
async function told(report: PluginReport): Promise<{ lines: string[]; types: string[] }> {
  const plugin = definePlugin({
    name: NAME,
    description: "It tells what it is given",
    version: "v3.1.0",
    activeByDefault: false,
    config: {},
    start: (ctx) => ctx.report(() => report),
  });
  const { manager } = manage([plugin]);
  await manager.load(NAME);
  const { admin } = await administer({ plugins: manager });
  const page = allAsText(admin.figures()).split("\n");
  const lines = page.filter((line) => line.includes(`plugin="${NAME}"`));
  const names = new Set(lines.map((line) => line.split("{")[0]));
  return { lines, types: page.filter((line) => line.startsWith("# TYPE ") && names.has(line.split(" ")[2])) };
}

test("a server that is asked, and what was said of clients: every family, every label, every number", async () => {
  const { lines, types } = await told({ servers: [SERVER], ...VERDICTS });
  const server = `plugin="${NAME}",server="PostgreSQL at 127.0.0.1:5432"`;
  expect(lines).toEqual([
    `baomq_plugin_server_up{${server}} 1`,
    `baomq_plugin_server_pool{${server}} 13`,
    `baomq_plugin_server_running{${server}} 11`,
    `baomq_plugin_server_waiting{${server}} 12`,
    `baomq_plugin_server_state{${server},state="connecting"} 0`,
    `baomq_plugin_server_state{${server},state="up"} 0`,
    `baomq_plugin_server_state{${server},state="degraded"} 1`,
    `baomq_plugin_server_state{${server},state="down"} 0`,
    `baomq_plugin_server_retries_total{${server}} 22`,
    `baomq_plugin_server_calls_total{${server},result="answered"} 15`,
    `baomq_plugin_server_calls_total{${server},result="refused"} 16`,
    `baomq_plugin_server_calls_total{${server},result="failed"} 17`,
    `baomq_plugin_server_calls_total{${server},result="timeouts"} 18`,
    `baomq_plugin_server_calls_total{${server},result="busy"} 19`,
    `baomq_plugin_server_calls_total{${server},result="gone"} 20`,
    `baomq_plugin_server_calls_total{${server},result="not_asked"} 21`,
    `baomq_plugin_server_seconds{${server},quantile="0.5"} 2.3`,
    `baomq_plugin_server_seconds{${server},quantile="0.95"} 2.4`,
    `baomq_plugin_server_seconds{${server},quantile="0.99"} 2.5`,
    `baomq_plugin_verdicts_total{plugin="${NAME}",chain="authentication",verdict="allowed"} 31`,
    `baomq_plugin_verdicts_total{plugin="${NAME}",chain="authentication",verdict="denied"} 32`,
    `baomq_plugin_verdicts_total{plugin="${NAME}",chain="authentication",verdict="ignored"} 33`,
    `baomq_plugin_verdicts_total{plugin="${NAME}",chain="authentication",verdict="errors"} 34`,
    `baomq_plugin_verdicts_total{plugin="${NAME}",chain="acl",verdict="allowed"} 41`,
    `baomq_plugin_verdicts_total{plugin="${NAME}",chain="acl",verdict="denied"} 42`,
    `baomq_plugin_verdicts_total{plugin="${NAME}",chain="acl",verdict="ignored"} 43`,
    `baomq_plugin_verdicts_total{plugin="${NAME}",chain="acl",verdict="errors"} 44`,
  ]);
  expect(types).toEqual([
    "# TYPE baomq_plugin_server_up gauge",
    "# TYPE baomq_plugin_server_pool gauge",
    "# TYPE baomq_plugin_server_running gauge",
    "# TYPE baomq_plugin_server_waiting gauge",
    "# TYPE baomq_plugin_server_state gauge",
    "# TYPE baomq_plugin_server_retries_total counter",
    "# TYPE baomq_plugin_server_calls_total counter",
    "# TYPE baomq_plugin_server_seconds gauge",
    "# TYPE baomq_plugin_verdicts_total counter",
  ]);
});

test("up while it answers, in whatever way; no time before one was measured; no chain that it does not hang on", async () => {
  for (const [state, up] of [
    ["connecting", 0],
    ["up", 1],
    ["degraded", 1],
    ["down", 0],
  ] as const) {
    const { lines } = await told({ servers: [{ ...SERVER, state, p50: null, p95: null, p99: null }], ...VERDICTS, acl: null });
    expect([state, lines.find((line) => line.startsWith("baomq_plugin_server_up{"))?.at(-1)]).toEqual([state, String(up)]);
    expect(lines.filter((line) => / 1$/.test(line) && line.includes("state=")).map((line) => line.split('"').at(-2))).toEqual([state]);
    expect(lines.filter((line) => /_seconds|chain="acl"/.test(line))).toEqual([]);
  }
});
