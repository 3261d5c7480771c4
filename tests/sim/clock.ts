/** A clock with two hands: the wall clock can be set, the monotonic one only runs. */
import type { Clock } from "../../server/core/ports.ts";
import type { MonoMs, WallMs } from "../../server/lib/time.ts";

export class SimClock implements Clock {
  wall = 1_700_000_000_000;
  monotonic = 5_000_000;
  now = (): WallMs => this.wall as WallMs;
  mono = (): MonoMs => this.monotonic as MonoMs;

  pass(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
  }

  /** Somebody sets the wall clock. */
  jump(ms: number): void {
    this.wall += ms;
  }
}
