/** When a sink has something to do: behind what runs now, and before the next tick where something is due sooner. */
import type { MonoMs } from "../../lib/time.ts";
import type { SinkHost } from "./types.ts";

export class Due {
  #isSoon = false;
  #at: MonoMs | null = null;
  #cancel: () => void = () => {};

  constructor(
    private readonly host: Pick<SinkHost, "clock" | "soon" | "timer">,
    private readonly run: () => void,
    /** Time is over for somebody. */
    private readonly runAt: () => void,
  ) {}

  /** The connections get their turn first; what came in this one is looked at together. */
  soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    this.host.soon(() => {
      this.#isSoon = false;
      this.run();
    });
  }

  /** One timer, for what is due first. */
  at(at: MonoMs): void {
    if (this.#at !== null && this.#at <= at) return;
    this.stop();
    this.#at = at;
    this.#cancel = this.host.timer(Math.max(0, Math.ceil(at - this.host.clock.mono())), () => {
      this.#at = null;
      this.runAt();
    });
  }

  /** Nothing is due any more. */
  stop(): void {
    this.#at = null;
    this.#cancel();
    this.#cancel = () => {};
  }
}
