/** What the web hook could not deliver. */
import type { DeadLetter } from "../../api/contract.ts";
import { type Command, type Context, subcommands, UsageError } from "../command.ts";

const PATH = "/web_hook/dead_letters";

/** Of a body no more is printed. */
const SHOWN_MAX = 100;

function idsIn(args: readonly string[]): { ids?: number[] } {
  const bad = args.find((arg) => !/^\d+$/.test(arg));
  if (bad !== undefined) throw new UsageError(`expected the number of a dead letter, got ${JSON.stringify(bad)}`);
  return args.length === 0 ? {} : { ids: args.map(Number) };
}

const deadLetters = subcommands({
  async list(ctx: Context) {
    const rows = await ctx.api.get<DeadLetter[]>(PATH);
    const line = (l: DeadLetter): string =>
      `DeadLetter(${l.id}, at=${Math.floor(l.at_ms / 1000)}, tries=${l.tries}, bytes=${l.bytes}, why=${l.why}, body=${l.body.slice(0, SHOWN_MAX)})`;
    ctx.show(rows, rows.map(line));
  },
  async resend(ctx: Context, args) {
    const { resent } = await ctx.api.call<{ resent: number }>("POST", `${PATH}/resend`, idsIn(args));
    ctx.show({ resent }, [`Resent ${resent} dead letters`]);
  },
  async delete(ctx: Context, args) {
    const { deleted } = await ctx.api.call<{ deleted: number }>("DELETE", PATH, idsIn(args));
    ctx.show({ deleted }, [`Deleted ${deleted} dead letters`]);
  },
});

export const webHookCommands: readonly Command[] = [
  {
    name: "webhook",
    usage: [
      ["webhook dead-letters list", "List what the web hook's service would not take"],
      ["webhook dead-letters resend [<Id> ...]", "Send dead letters again, or all of them"],
      ["webhook dead-letters delete [<Id> ...]", "Delete dead letters, or all of them"],
    ],
    run: subcommands({ "dead-letters": deadLetters }),
  },
];
