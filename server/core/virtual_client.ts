/**
 * A subscriber inside the process: no socket, no protocol, no limits of its own. For event streams and plugins.
 *
 * Its client id is a label, in a space of its own: it is in nobody's way when a client, or another virtual one, has the same, and no
 * session hook speaks of it.
 */
import { wordsOf } from "../lib/errors.ts";
import type { Broker } from "./broker.ts";
import type { Message } from "./message.ts";
import { Session } from "./session.ts";
import type { SubscribeOptions } from "./types.ts";

export class VirtualClient {
  readonly #session: Session;

  constructor(
    private readonly broker: Broker,
    readonly clientId: string,
    onMessage: (m: Message, filter: string) => void,
  ) {
    this.#session = new Session(clientId, broker.zone("internal"), 5, broker.now, broker.held);
    this.#session.receive = (m, filter) => {
      try {
        onMessage(m, filter);
      } catch (err) {
        broker.log.error("virtual client failed", { clientid: clientId, error: wordsOf(err) });
      }
    };
    broker.virtualSessions.add(this.#session);
  }

  /** `filter` must be valid. Retained messages are sent by whoever hangs on session.subscribed. */
  subscribe(filter: string, options: SubscribeOptions): void {
    this.broker.registry.subscribe(this.#session, filter, options);
  }
  unsubscribe(filter: string): boolean {
    return this.broker.registry.unsubscribe(this.#session, filter);
  }
  close(): void {
    this.broker.virtualSessions.delete(this.#session);
    this.broker.registry.terminate(this.#session, "closed");
  }
}
