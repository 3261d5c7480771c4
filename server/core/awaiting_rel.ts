/** Incoming QoS 2 messages that wait for their PUBREL. */
import type { MonoMs } from "../lib/time.ts";
import type { Held } from "./held.ts";

/** About what an identifier takes, bytes. */
const ENTRY_BYTES = 70;

/** Packet identifier -> since when, oldest first. A client of 3.x may have all 65,535 waiting: so they count towards what sessions hold. */
export class AwaitingRel extends Map<number, MonoMs> {
  constructor(private readonly held: Held) {
    super();
  }

  override set(id: number, since: MonoMs): this {
    const before = this.size;
    super.set(id, since);
    if (this.size > before) this.held.took(ENTRY_BYTES);
    return this;
  }

  override delete(id: number): boolean {
    const was = super.delete(id);
    if (was) this.held.took(-ENTRY_BYTES);
    return was;
  }

  override clear(): void {
    this.held.took(-this.size * ENTRY_BYTES);
    super.clear();
  }
}
