/**
 * That the disk does not take a queue or its dead letters, as it is told: in the log when it begins and when it is over, by an alarm, in the state. That
 * a file cannot be read: in the log, and by an alarm, until it makes room (those of letters never do) or a later start reads it.
 */
import type { BackendHost } from "../_backend/host.ts";
import type { Kept } from "./types.ts";

/** What is told of a file that cannot be read. */
const UNREAD: Record<Kept, { readonly said: string; readonly stays: string }> = {
  queue: {
    said: "a file of the queue cannot be read",
    stays:
      "It stays as long as the queue has room on the disk, and is tried again at the next start: what is in it waits until then. Dead letters are sent again only as far as there is room beside it.",
  },
  letters: {
    said: "a file of dead letters cannot be read",
    stays: "It stays, and is tried again at the next start: until then the dead letters in it are not listed.",
  },
};

export class DiskTrouble {
  /** Bytes at the ends of files that were no frames. */
  torn = 0;
  readonly #of: Record<Kept, string | null> = { queue: null, letters: null };
  /** Of a file of each, the last one: why it cannot be read. */
  readonly #unread: Record<Kept, string | null> = { queue: null, letters: null };

  /** `suffix`: of its alarms' names. */
  constructor(
    private readonly host: BackendHost,
    private readonly suffix: string,
  ) {}

  /** null = there is none. */
  get why(): string | null {
    return this.#of.queue ?? this.#of.letters;
  }

  /** `why`: null = it is over. */
  is(of: Kept, why: string | null, what: string): void {
    const before = this.why;
    this.#of[of] = why;
    this.#tell(before, what);
  }

  /** A file stays unread, and why: the last one is told; null = none does. */
  unreadable(of: Kept, why: string | null, what: string): void {
    if (why === null && this.#unread[of] === null) return;
    this.#unread[of] = why;
    if (why !== null) this.host.log.error(UNREAD[of].said, { server: what, error: why });
    this.#tellUnread(what);
  }

  #tellUnread(what: string): void {
    const all = (["queue", "letters"] as const).filter((of) => this.#unread[of] !== null);
    const [first] = all;
    const title = first === undefined ? "" : `${what}: ${UNREAD[first].said}`;
    const summary = all.map((of) => `${this.#unread[of]}. ${UNREAD[of].stays}`).join(" ");
    this.host.alarm(`unreadable${this.suffix}`, first === undefined ? null : { severity: "error", title, summary });
  }

  /** Nothing is to be written any more. */
  clear(what: string): void {
    const before = this.why;
    this.#of.queue = this.#of.letters = null;
    this.#tell(before, what);
    for (const of of ["queue", "letters"] as const) this.unreadable(of, null, what);
  }

  #tell(before: string | null, what: string): void {
    const { why } = this;
    if (why === before) return;
    if (why === null) {
      this.host.log.notice("the queue can be written to the disk again", { server: what });
      this.host.alarm(`disk${this.suffix}`, null);
      return;
    }
    if (before === null) this.host.log.error("the queue cannot be written to the disk", { server: what, error: why });
    this.host.alarm(`disk${this.suffix}`, {
      severity: "error",
      title: `${what}: the queue cannot be written to the disk`,
      summary: `${why}. What waits in memory would be lost with the node, and what finds no room there is dropped.`,
    });
  }
}
