/** The node itself: status, broker, cluster, vm, mnesia. */
import type { Broker, Metrics, Stats } from "../../api/contract.ts";
import { type Command, type Context, Refused, subcommands, take, UsageError } from "../command.ts";

const columns = (rows: readonly (readonly [string, unknown])[], width: number): string[] =>
  rows.map(([name, value]) => `${name.padEnd(width)}: ${value}`);
const sorted = (values: Readonly<Record<string, number>>): [string, number][] =>
  Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));

async function figures(ctx: Context, what: string, width: number): Promise<void> {
  const values = await ctx.api.get<Stats | Metrics>(`/nodes/${await ctx.api.node()}/${what}`);
  ctx.show(values, columns(sorted(values), width));
}

async function status(ctx: Context): Promise<void> {
  const who = await ctx.api.get<{ node: string; version: string; product: string; product_version: string }>("/whoami");
  ctx.show({ node: who.node, status: "running", version: who.version, product: who.product, product_version: who.product_version }, [
    `Node '${who.node}' is started`,
    `emqx ${who.version} is running`,
  ]);
}

async function broker(ctx: Context): Promise<void> {
  const [b] = await ctx.api.get<Broker[]>("/brokers");
  if (!b) throw new Refused("Not Found.");
  const { sysdescr, version, uptime, datetime } = b;
  ctx.show(b, columns(Object.entries({ sysdescr, version, uptime, datetime }), 10));
}

async function clusterStatus(ctx: Context): Promise<void> {
  const node = await ctx.api.node();
  ctx.show({ running_nodes: [node], stopped_nodes: [] }, [`Cluster status: [{running_nodes,['${node}']}]`]);
}

/** Not there yet: said, instead of pretending. */
const noCluster = (words: string, args: number) => async (_: Context, given: readonly string[]) => {
  take(given, args);
  throw new Refused(words);
};

const VM = ["all", "load", "memory", "process", "io", "ports"];

export const nodeCommands: readonly Command[] = [
  { name: "status", usage: [["status", "Show broker status"]], run: status },
  {
    name: "broker",
    usage: [
      ["broker", "Show broker version, uptime and description"],
      ["broker stats", "Show broker statistics of clients, topics, subscribers"],
      ["broker metrics", "Show broker metrics"],
    ],
    run: subcommands({ "": broker, stats: (ctx) => figures(ctx, "stats", 30), metrics: (ctx) => figures(ctx, "metrics", 24) }),
  },
  {
    name: "cluster",
    usage: [
      ["cluster join <Node>", "Join the cluster"],
      ["cluster leave", "Leave the cluster"],
      ["cluster force-leave <Node>", "Force the node leave from cluster"],
      ["cluster status", "Cluster status"],
    ],
    run: subcommands({
      join: noCluster("Failed to join the cluster: this node can only run alone", 1),
      leave: noCluster("Failed to leave the cluster: node_not_in_cluster", 0),
      "force-leave": noCluster("Failed to remove the node from cluster: node_not_in_cluster", 1),
      status: clusterStatus,
    }),
  },
  {
    name: "vm",
    usage: [
      ["vm all", "Show info of the runtime"],
      ["vm load", "Show load of the machine"],
      ["vm memory", "Show memory of the runtime"],
      ["vm process", "Show processes (connections and sessions)"],
      ["vm io", "Show IO of the runtime"],
      ["vm ports", "Show ports"],
    ],
    async run(ctx, args) {
      const [what = "all"] = take(args, 0, 1);
      if (!VM.includes(what)) throw new UsageError();
      const rows = await ctx.api.get<[string, number | string][]>(`/vm/${what}`);
      // The columns of EMQ X 3.1: those of the ports are narrower.
      const lines = rows.flatMap((row) => columns([row], row[0].startsWith("ports/") ? 22 : 24));
      ctx.show(Object.fromEntries(rows), lines);
    },
  },
  {
    name: "mnesia",
    usage: [["mnesia", "Mnesia system info"]],
    async run(ctx) {
      ctx.show({ database: "sqlite" }, ["There is no Mnesia here: data is kept in SQLite files in the data directory."]);
    },
  },
];
