/** That the disk does not take a queue, as it is told: in the log when it begins and when it is over, by an alarm, in the state. */
import type { BackendHost } from "../_backend/host.ts";

export class DiskTrouble {
  /** null = there is none. */
  why: string | null = null;

  constructor(
    private readonly host: BackendHost,
    private readonly alarm: string,
  ) {}

  /** null = it is over. */
  is(why: string | null, what: string): void {
    if (why === this.why) return;
    const before = this.why;
    this.why = why;
    if (why === null) {
      this.host.log.notice("the queue can be written to the disk again", { server: what });
      this.host.alarm(this.alarm, null);
      return;
    }
    if (before === null) this.host.log.error("the queue cannot be written to the disk", { server: what, error: why });
    this.host.alarm(this.alarm, {
      severity: "error",
      title: `${what}: the queue cannot be written to the disk`,
      summary: `${why}. What waits in memory would be lost with the node, and what finds no room there is dropped.`,
    });
  }
}
