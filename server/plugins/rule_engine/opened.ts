/** An action, or a resource, that may have to be closed before it is opened again, with what else ends then: timers, alarms. */
import { lineOf } from "../../lib/errors.ts";
import type { PluginContext, ResourceHost } from "../plugin.ts";

export interface OpenedWorld {
  readonly ctx: Pick<PluginContext, "clock" | "log" | "every" | "alarm">;
  /** Alarms that stand, with who raised each. */
  readonly raised: Map<string, object>;
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
    const { raised, ctx } = this.world;
    const { clock, log, every, alarm } = ctx;
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
        // Of two that have one id, while one takes the place of the other, whoever raised it last has it: the other one's end does not clear it.
        if (desc === null) return this.#clear(name);
        raised.set(name, this);
        this.#alarms.add(name);
        alarm(name, desc);
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

  #clear(name: string): void {
    const { raised, ctx } = this.world;
    if (!this.#alarms.delete(name) || raised.get(name) !== this) return;
    raised.delete(name);
    ctx.alarm(name, null);
  }
}
