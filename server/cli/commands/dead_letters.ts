/** What a queue could not deliver: the same words wherever it lies. */
import type { DeadLetter } from "../../api/contract.ts";
import { type Context, subcommands, UsageError } from "../command.ts";

/** Of a body no more is printed. */
const SHOWN_MAX = 100;

function idsIn(args: readonly string[]): { ids?: number[]; all?: true } {
  if (args.length === 1 && args[0] === "all") return { all: true };
  const bad = args.find((arg) => !/^\d+$/.test(arg));
  if (bad !== undefined) throw new UsageError(`expected the number of a dead letter, got ${JSON.stringify(bad)}`);
  return args.length === 0 ? {} : { ids: args.map(Number) };
}

const line = (l: DeadLetter | DeadLetter): string =>
  `DeadLetter(${l.id}, at=${Math.floor(l.at_ms / 1000)}, tries=${l.tries}, bytes=${l.bytes}, why=${l.why}, body=${l.body.slice(0, SHOWN_MAX)})`;

/** `list`, `resend [<Id> ...]`, `delete <Id> ...`, `delete all`; `words` before those say where. */
export function deadLetters(words: number, where: (words: readonly string[]) => string, asked: <T>(ask: Promise<T>) => Promise<T>) {
  const at = (args: readonly string[]): string => {
    if (args.length < words) throw new UsageError();
    return where(args.slice(0, words));
  };
  return subcommands({
    async list(ctx: Context, args) {
      if (args.length !== words) throw new UsageError();
      const rows = await asked(ctx.api.get<(DeadLetter | DeadLetter)[]>(at(args)));
      ctx.show(rows, rows.map(line));
    },
    async resend(ctx: Context, args) {
      const { resent } = await asked(ctx.api.call<{ resent: number }>("POST", `${at(args)}/resend`, idsIn(args.slice(words))));
      ctx.show({ resent }, [`Resent ${resent} dead letters`]);
    },
    async delete(ctx: Context, args) {
      const ids = idsIn(args.slice(words));
      // Whoever means all of them says so.
      if (ids.ids === undefined && ids.all === undefined) throw new UsageError();
      const { deleted } = await asked(ctx.api.call<{ deleted: number }>("DELETE", at(args), ids));
      ctx.show({ deleted }, [`Deleted ${deleted} dead letters`]);
    },
  });
}
