/** Something is to be done before the next tick: one timer, for what is due first. */
import type { MonoMs } from "../../lib/time.ts";
import type { SinkHost } from "./types.ts";

export class Due {
  #at: MonoMs | null = null;
  #cancel: () => void = () => {};

  constructor(
    private readonly host: Pick<SinkHost, "clock" | "timer">,
    private readonly run: () => void,
  ) {}

  /** `run` then, and no later for anything that is due later. */
  at(at: MonoMs): void {
    if (this.#at !== null && this.#at <= at) return;
    this.stop();
    this.#at = at;
    this.#cancel = this.host.timer(Math.max(0, Math.ceil(at - this.host.clock.mono())), () => {
      this.#at = null;
      this.run();
    });
  }

  stop(): void {
    this.#at = null;
    this.#cancel();
    this.#cancel = () => {};
  }
}
