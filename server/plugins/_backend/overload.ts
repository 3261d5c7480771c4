/**
 * A server that answers, but not as fast as it is asked: calls are refused because too many wait already, or end while they wait. That is no
 * fault of one question, and the server is there: it is told by an alarm of its own, once, until calls have been answered for a while without it.
 */
import { between, later, type MonoMs, reached } from "../../lib/time.ts";
import type { BackendHost } from "./host.ts";

export class Overload {
  #since: MonoMs | null = null;
  #lastAt: MonoMs | null = null;

  constructor(
    private readonly host: BackendHost,
    private readonly o: { what: string; alarm: string; pool: number /** Without it for so long it is over. */; calmMs: number },
  ) {}

  get stands(): boolean {
    return this.#since !== null;
  }

  /** A call has come to nothing for want of a place. */
  seen(now: MonoMs): void {
    this.#lastAt = now;
    if (this.#since !== null) return;
    this.#since = now;
    const { what, alarm, pool } = this.o;
    const why = `more is asked than ${pool} ${pool === 1 ? "connection answers" : "connections answer"} in time: the pool is too small, or the server too slow`;
    this.host.log.warn("server is asked more than it answers", { server: what, pool, why });
    this.host.alarm(alarm, { severity: "warning", title: `${what} is asked more than it answers`, summary: why });
  }

  /** `heardAt`: when the last call was answered in time. `idle`: nobody asks. */
  tick(now: MonoMs, heardAt: MonoMs | null, idle: boolean): void {
    const [since, last] = [this.#since, this.#lastAt];
    if (since === null || last === null || !reached(later(last, this.o.calmMs), now)) return;
    if (!idle && (heardAt === null || !reached(last, heardAt))) return;
    this.host.log.notice("server keeps up again", { server: this.o.what, seconds: Math.round(between(since, last) / 1000) });
    this.end();
  }

  /** Something else is wrong now, or others serve. */
  end(): void {
    if (this.#since === null) return;
    this.#since = null;
    this.host.alarm(this.o.alarm, null);
  }
}

/** The alarm's name, beside that of the server being down. */
export const overloadAlarm = (down: string): string =>
  down.startsWith("down") ? down.replace("down", "overloaded") : `${down}_overloaded`;
