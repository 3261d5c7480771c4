/** How actions and resources tell of themselves: in alarms and in the log with their rules, and with how many rows wait. */
import type { Log } from "../../core/ports.ts";
import type { AlarmDetails } from "../../core/watch/alarms.ts";
import type { WaitingRows } from "../actions.ts";

/** Why rows cannot be sent now, and when that was said, Unix ms. */
export type Behind = NonNullable<WaitingRows["behind"]>;

export interface Teller {
  /** Names, as they are now. */
  readonly ruleName: string;
  readonly kindName: string;
  /** Rows that wait now. */
  readonly waiting: number;
}

/** Who writes to a resource. */
export interface Users {
  /** Their names. */
  readonly rules: readonly string[];
  /** Rows of theirs that wait for it. */
  readonly waiting: number;
}

/** Rules that are named. */
const NAMED = 5;

/** The alarm of an action, with whose it is. How many rows wait is counted whenever somebody looks. */
export function asTold({ severity, title, summary }: AlarmDetails, of: Teller): AlarmDetails {
  return {
    severity,
    title: `rule "${of.ruleName}", action ${of.kindName}: ${title}`,
    get summary() {
      return sentences(summary, waits(of.waiting));
    },
  };
}

/** The alarm of a resource, with who uses it when somebody looks. */
export function asUsed({ severity, title, summary }: AlarmDetails, users: () => Users): AlarmDetails {
  return {
    severity,
    title,
    get summary() {
      const { rules, waiting } = users();
      const named = rules.slice(0, NAMED).map((name) => `"${name}"`);
      if (rules.length > NAMED) named.push(`${rules.length - NAMED} more`);
      return sentences(summary, named.length === 0 ? "" : `Rules that use it: ${named.join(", ")}`, waits(waiting));
    },
  };
}

const waits = (rows: number): string => (rows === 0 ? "" : rows === 1 ? "1 row waits" : `${rows} rows wait`);

function sentences(...parts: string[]): string {
  return parts.flatMap((part) => (part === "" ? [] : [`${part.replace(/\.$/, "")}.`])).join(" ");
}

/** A log whose lines have these fields before their own. */
export function logWith(log: Log, fields: () => Record<string, unknown>): Log {
  return {
    error: (message, more) => log.error(message, { ...fields(), ...more }),
    warn: (message, more) => log.warn(message, { ...fields(), ...more }),
    notice: (message, more) => log.notice(message, { ...fields(), ...more }),
    info: (message, more) => log.info(message, { ...fields(), ...more }),
    debug: (message, more) => log.debug(message, { ...fields(), ...more }),
  };
}

/** What was said last. */
export function lastSaid<T extends { why: string | null; at: number | null }>(last: T, behind: Behind | null | undefined): T | Behind {
  return behind != null && behind.at >= (last.at ?? 0) ? behind : last;
}
