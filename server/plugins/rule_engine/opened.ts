/** An action, or a resource, that may have to be closed before it is opened again, with what else ends then: timers, alarms. */
import type { AlarmDetails } from "../../core/watch/alarms.ts";
import { lineOf } from "../../lib/errors.ts";
import type { PluginContext, ResourceHost } from "../plugin.ts";

export interface OpenedWorld {
  readonly ctx: Pick<PluginContext, "clock" | "log" | "every" | "alarm">;
  /** Alarms that stand, with everybody who has raised each: of two with one id one takes the place of the other. */
  readonly raised: Map<string, Map<object, AlarmDetails>>;
}

export class Opened<T extends { close(): void | Promise<void> }> {
  #made: T | null = null;
  #closing: Promise<void> | null = null;
  readonly #undo = new Set<() => void>();
  /** Names of those that it has raised. */
  readonly #alarms = new Set<string>();
  /** Why there is none. */
  reason: string | null = "not opened yet";

  constructor(
    private readonly world: OpenedWorld,
    /** For alarms and the log. */
    private readonly id: string,
  ) {}

  get made(): T | null {
    return this.#made;
  }

  get closing(): Promise<void> | null {
    return this.#closing;
  }

  open(make: (host: ResourceHost) => T): void {
    try {
      this.#made = make(this.host());
      this.reason = null;
    } catch (err) {
      this.reason = lineOf(err);
      this.#end();
    }
  }

  host(): ResourceHost {
    const { clock, log, every } = this.world.ctx;
    return {
      clock,
      log,
      every: (ms, fn) => {
        const cancel = every(ms, fn);
        this.#undo.add(cancel);
        return () => {
          this.#undo.delete(cancel);
          cancel();
        };
      },
      alarm: (what, desc) => {
        const name = `${this.id}_${what}`;
        if (desc === null) this.#clear(name);
        else this.#raise(name, desc);
      },
    };
  }

  /** Resolves when it has ended; never rejects. */
  close(reason: string, how: (made: T) => void | Promise<void> = (made) => made.close()): Promise<void> {
    this.reason = reason;
    const made = this.#made;
    if (made === null) return this.#closing ?? Promise.resolve();
    this.#made = null;
    const ended = this.#finish(made, how).then(() => {
      if (this.#closing === ended) this.#closing = null;
    });
    this.#closing = ended;
    return ended;
  }

  async #finish(made: T, how: (made: T) => void | Promise<void>): Promise<void> {
    try {
      await how(made);
    } catch (err) {
      this.world.ctx.log.error("closing failed", { what: this.id, error: lineOf(err) });
    }
    this.#end();
  }

  #end(): void {
    for (const cancel of this.#undo) cancel();
    this.#undo.clear();
    for (const name of [...this.#alarms]) this.#clear(name);
  }

  #raise(name: string, desc: AlarmDetails): void {
    const { raised, ctx } = this.world;
    const by = raised.get(name) ?? new Map<object, AlarmDetails>();
    raised.set(name, by.set(this, desc));
    this.#alarms.add(name);
    ctx.alarm(name, desc);
  }

  /** It stands for as long as anybody has it. */
  #clear(name: string): void {
    const { raised, ctx } = this.world;
    const by = raised.get(name);
    if (!this.#alarms.delete(name) || by?.delete(this) !== true) return;
    const other = [...by.values()].at(-1);
    if (other === undefined) raised.delete(name);
    ctx.alarm(name, other ?? null);
  }
}
