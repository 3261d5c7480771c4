/**
 * That the disk does not take a queue or its dead letters, as it is told: in the log when it begins and when it is over, by an alarm, in the state. That
 * a file cannot be read: in the log, and by an alarm, until it makes room or a later start reads it.
 */
import type { BackendHost } from "../_backend/host.ts";
import type { Kept } from "./types.ts";

export class DiskTrouble {
  /** Bytes at the ends of files that were no frames. */
  torn = 0;
  readonly #of: Record<Kept, string | null> = { queue: null, letters: null };
  #isUnreadable = false;

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
  unreadable(why: string | null, what: string): void {
    if (why === null && !this.#isUnreadable) return;
    this.#isUnreadable = why !== null;
    if (why !== null) this.host.log.error("a file of the queue cannot be read", { server: what, error: why });
    const title = `${what}: a file of the queue cannot be read`;
    const stays =
      "It stays as long as the queue has room on the disk, and is tried again at the next start: what is in it waits until then.";
    this.host.alarm(`unreadable${this.suffix}`, why === null ? null : { severity: "error", title, summary: `${why}. ${stays}` });
  }

  /** Nothing is to be written any more. */
  clear(what: string): void {
    const before = this.why;
    this.#of.queue = this.#of.letters = null;
    this.#tell(before, what);
    this.unreadable(null, what);
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
