/** Servers in memory that rules write to through the connectors' queues, and that are as the test says. */
import { actionKind, NOTHING, resourceKind } from "../../../../server/plugins/_connectors/connector.ts";
import { needed, text } from "../../../../server/plugins/_connectors/params.ts";
import type { AnyPlugin } from "../../../../server/plugins/plugin.ts";
import { definePlugin } from "../../../../server/plugins/plugin.ts";
import { ruleEngine } from "../../../../server/plugins/rule_engine/index.ts";
import type { RuleEngineService, RuleRow } from "../../../../server/plugins/rules.ts";
import { until } from "../../../support/until.ts";
import { manage, turns, type Wishes } from "../harness.ts";

type State = "up" | "refuses" | "down" | "hangs";

export class Servers {
  readonly states = new Map<string, State>();
  /** What each has been given, in order. */
  readonly taken = new Map<string, string[]>();
  /** So often an item was printed for people. */
  printed = 0;
  /** Addresses, each time a resource is opened. */
  readonly opened: string[] = [];
  /** What whoever writes to a server, or closes its connections, waits for first. */
  readonly writing = new Map<string, Promise<void>>();
  readonly closing = new Map<string, Promise<void>>();

  of(server: string): string[] {
    const taken = this.taken.get(server) ?? [];
    this.taken.set(server, taken);
    return taken;
  }

  readonly plugin: AnyPlugin = definePlugin({
    name: "test_servers",
    description: "",
    version: "v1",
    activeByDefault: false,
    config: {},
    start: (ctx) => {
      const resource = resourceKind({
        name: "test_db",
        title: "Database",
        description: "",
        params: { server: needed("", "its address") },
        keys: { server: "server", timeout: "timeout" },
        advice: [],
        judge: (err) => ((err as Error).message === "no" ? "refused" : "down"),
        open: ({ server }) => {
          if (server === "bad") throw new Error("such an address cannot be");
          this.opened.push(server);
          return {
            what: `database at ${server}`,
            open: async () => server,
            close: async () => this.closing.get(server),
            lost: () => false,
            probe: async () => {
              if (this.states.get(server) === "down") throw new Error("nobody listens there");
            },
            pool: 1,
            timeoutMs: 5000,
            retries: 0,
          };
        },
      });
      const action = actionKind(["test_db"], {
        name: "test:write",
        title: "Write",
        description: "",
        params: { text: text("", "", "what is written; the row where it is empty") },
        open: ({ text: written }) => ({
          make: (row) => {
            if (row.bad === true) throw new Error("such a row cannot be");
            return written === "" ? String(row.n) : `${written} ${String(row.n)}`;
          },
          shown: (item: string) => {
            this.printed++;
            return item;
          },
          write: async (server: string, items: readonly string[]) => {
            await this.writing.get(server);
            const state = this.states.get(server) ?? "up";
            if (state === "hangs") return new Promise(() => {});
            if (state === "down") throw new Error("nobody listens there");
            if (state === "refuses") return new Map(items.map((_, i) => [i, new Error("no")]));
            this.of(server).push(...items);
            return NOTHING;
          },
        }),
      });
      const open: typeof action.open = (params, host, to) => {
        if (to?.status()[0]?.what.endsWith("picky") === true) throw new Error("nobody may write there");
        return action.open(params, host, to);
      };
      ctx.offer({ resources: [resource], actions: [{ ...action, open }] });
    },
  });
}

export const write = (resource: string, more: object = {}) => ({
  name: "test:write",
  params: { $resource: `test_db:${resource}`, batch_wait: 0, ...more },
});

/** Brings nothing, and whoever has kinds looks at them again. */
const other = definePlugin({
  name: "test_other",
  description: "",
  version: "v1",
  activeByDefault: false,
  config: {},
  start: (ctx) => ctx.offer({}),
});

const started = new Set<() => Promise<unknown>>();

/** Goes with `afterEach`: files that nobody closes are an error. */
export async function stopServers(): Promise<void> {
  for (const stop of started) await stop();
  started.clear();
}

export async function startServers(wishes: Wishes = {}) {
  const servers = new Servers();
  const m = manage([ruleEngine, servers.plugin, other], wishes);
  await m.manager.load("test_servers");
  await m.manager.load("emqx_rule_engine");
  started.add(() => m.manager.unload("emqx_rule_engine"));
  const service = m.manager.service("emqx_rule_engine") as RuleEngineService;
  const { kit } = m;
  const resource = (name: string, server = name, description = "") =>
    service.createResource({ name, type: "test_db", config: { server }, description });
  const rule = (...actions: object[]) => service.createRule({ name: "r", rawsql: 'SELECT payload.n AS n FROM "t"', actions });
  const publish = (...ns: number[]): void => {
    const c = kit.connected(`c${ns[0]}`);
    for (const n of ns) c.publish("t", JSON.stringify({ n }));
  };
  const row = (id: string): RuleRow => service.rule(id) as RuleRow;
  const action = (id: string, at = 0): RuleRow["actions"][number] => row(id).actions[at] as RuleRow["actions"][number];
  /** None while it does not run. */
  const letters = (id: string, at = 0): string[] => {
    const { id: name, state } = action(id, at);
    return state === "broken" ? [] : (service.deadLetters(id, name) ?? []).map((l) => l.body).reverse();
  };
  /** Time and turns go by until it holds. */
  const passing = (there: () => boolean, what?: string): Promise<void> =>
    until(async () => {
      kit.pass(100);
      await turns(kit);
      return there();
    }, what);
  return { ...m, service, servers, resource, rule, publish, row, action, letters, passing };
}
