/**
 * Clients whose CONNECT is not answered yet: somebody outside is asked, an attempt on a name is slowed down, AUTH goes on. By client id, in the
 * order in which their CONNECTs came: of two the later one counts [MQTT-3.1.4-3], whichever is answered first.
 */
import { seldomOf } from "../lib/seldom.ts";
import type { Channel } from "./channel.ts";

const NOBODY: readonly Channel[] = [];

export class Connecting {
  readonly #waiting = new Map<string, Set<Channel>>();

  /** Client ids that are waited for. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Its CONNECT has come, and has to wait for its answer. */
  add(ch: Channel): void {
    const id = idOf(ch);
    const before = this.#waiting.get(id);
    if (before === undefined) this.#waiting.set(id, new Set([ch]));
    else before.add(ch);
  }

  has(ch: Channel): boolean {
    return this.#waiting.get(idOf(ch))?.has(ch) ?? false;
  }

  /** It is closed, or let in. */
  leave(ch: Channel): void {
    const id = idOf(ch);
    const waiting = this.#waiting.get(id);
    if (waiting?.delete(ch) && waiting.size === 0) this.#waiting.delete(id);
  }

  /** Those with its client id whose CONNECT came before its own. */
  before(ch: Channel): readonly Channel[] {
    const waiting = this.#waiting.get(idOf(ch));
    if (waiting === undefined) return NOBODY;
    const older: Channel[] = [];
    for (const other of waiting) {
      if (other === ch) break;
      older.push(other);
    }
    return older;
  }
}

const idOf = (ch: Channel): string => ch.client?.clientId ?? "";

seldomOf(Connecting);
