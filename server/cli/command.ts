/** What a command of `baomq ctl` is, and how its usage is shown. */
import type { Client } from "./client.ts";

/** Exit codes. */
export const EXIT = { ok: 0, failed: 1, unreachable: 2 } as const;

/** The arguments fit none of the usages. */
export class UsageError extends Error {}
/** Refused or not found: the message is what is printed; "" = all has been said. */
export class Refused extends Error {}

export interface Context {
  readonly api: Client;
  readonly json: boolean;
  /** From `--password-file`, taken as it is; it stands among the arguments too. null = there was none. */
  readonly password: string | null;
  /** One line to standard output. */
  out(line: string): void;
  /** Lines for people, or the value as JSON. */
  show(value: unknown, lines: readonly string[]): void;
}

/** Words of a usage; `<Name>` stands for an argument, `[<Name>]` for one that may be left out. */
export type Usage = readonly [syntax: string, description: string];

export interface Command {
  readonly name: string;
  readonly usage: readonly Usage[];
  /** `args` without the command's name. */
  run(ctx: Context, args: readonly string[]): Promise<void>;
}

const SYNTAX_WIDTH = 48;

export function usageLines(commands: readonly Command[]): string[] {
  return commands.flatMap((c) => c.usage.map(([syntax, description]) => `${`${syntax} `.padEnd(SYNTAX_WIDTH)}# ${description}`));
}

/** A handler for each first word; `""` = none. A handler gets the words after it. */
export function subcommands(
  handlers: Readonly<Record<string, (ctx: Context, args: readonly string[]) => Promise<void>>>,
): (ctx: Context, args: readonly string[]) => Promise<void> {
  return (ctx, args) => {
    const [word = "", ...rest] = args;
    const handler = Object.hasOwn(handlers, word) ? handlers[word] : undefined;
    if (!handler) throw new UsageError();
    return handler(ctx, rest);
  };
}

/** Exactly so many arguments, or with some that may be missing. @throws UsageError */
export function take(args: readonly string[], required: number, optional = 0): string[] {
  if (args.length < required || args.length > required + optional) throw new UsageError();
  return [...args];
}

/** "-" leaves an argument out that others follow. */
export const given = (word: string | undefined): string | undefined => (word === "-" ? undefined : word);
