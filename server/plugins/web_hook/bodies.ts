/**
 * What the service is told: EMQ X 3.1's fields, in its order. Who has no user name is "undefined" there, as an atom of Erlang's prints. Times are
 * seconds. Where 3.1 had faults these are mended: it was silent about most ways a client goes, and had no JSON for payloads that are no text.
 */
import type { Message } from "../../core/message.ts";
import type { ClientInfo, SubscribeOptions } from "../../core/types.ts";
import { parseSharedFilter } from "../../mqtt/topic.ts";
import { encodePayload, type PayloadEncoding } from "./payload.ts";

export interface BodyOptions {
  readonly encodePayload: PayloadEncoding;
  /** What stands for a user name that is not there. */
  readonly none: "undefined" | null;
}

export type Body = Readonly<Record<string, unknown>>;

/** Unix ms -> s. */
const seconds = (ms: number): number => Math.floor(ms / 1000);

export class Bodies {
  constructor(private readonly o: BodyOptions) {}

  clientConnected(client: ClientInfo, now: number): Body {
    return {
      action: "client_connected",
      client_id: client.clientId,
      username: this.#name(client.username),
      keepalive: client.keepalive,
      ipaddress: client.ip,
      proto_ver: client.version,
      connected_at: seconds(now),
      conn_ack: 0,
    };
  }

  clientDisconnected({ clientId, username }: ClientInfo, reason: string): Body {
    return { action: "client_disconnected", client_id: clientId, username: this.#name(username), reason };
  }

  clientSubscribe({ clientId, username }: ClientInfo, filter: string, options: SubscribeOptions): Body {
    const { topic, share } = parsed(filter);
    return { action: "client_subscribe", client_id: clientId, username: this.#name(username), topic, opts: opts(options, share) };
  }

  clientUnsubscribe({ clientId, username }: ClientInfo, filter: string): Body {
    const { topic, share } = parsed(filter);
    return { action: "client_unsubscribe", client_id: clientId, username: this.#name(username), topic, opts: share };
  }

  sessionCreated(clientId: string, username: string | null): Body {
    return { action: "session_created", client_id: clientId, username: this.#name(username) };
  }

  sessionSubscribed(clientId: string, filter: string, options: SubscribeOptions, isNew: boolean): Body {
    const { topic, share } = parsed(filter);
    return { action: "session_subscribed", client_id: clientId, topic, opts: { first: isNew, ...opts(options, share) } };
  }

  sessionUnsubscribed(clientId: string, filter: string): Body {
    return { action: "session_unsubscribed", client_id: clientId, topic: parsed(filter).topic };
  }

  sessionTerminated(clientId: string, reason: string): Body {
    return { action: "session_terminated", client_id: clientId, reason };
  }

  messagePublish(m: Message): Body {
    return { action: "message_publish", ...this.#message(m) };
  }

  messageDeliver(clientId: string, username: string | null, m: Message): Body {
    return { action: "message_deliver", client_id: clientId, username: this.#name(username), ...this.#message(m) };
  }

  messageAcked(clientId: string, m: Message): Body {
    return { action: "message_acked", client_id: clientId, ...this.#message(m) };
  }

  #message(m: Message): Body {
    const { text, encoding } = encodePayload(m.payload, this.o.encodePayload);
    return {
      from_client_id: m.from,
      from_username: this.#name(m.username),
      topic: m.topic,
      qos: m.qos,
      retain: m.retain,
      payload: text,
      ts: seconds(m.timestamp),
      ...(encoding !== null && { encoding }),
    };
  }

  #name(username: string | null): string | null {
    return username ?? this.o.none;
  }
}

/** The topic that a rule's filter is compared with, and that is told: without the group that shares it. */
export const topicOf = (filter: string): string => parsed(filter).topic;

/** EMQ X 3.1 tells the group of a shared subscription among its options. */
function parsed(filter: string): { topic: string; share: { share?: string } } {
  const shared = parseSharedFilter(filter);
  if (shared === null) return { topic: filter, share: {} };
  return { topic: shared.filter, share: shared.group === null ? {} : { share: shared.group } };
}

/** In the order of Erlang's maps. */
function opts({ nl, qos, rap, rh }: SubscribeOptions, share: { share?: string }): Body {
  return { nl: Number(nl), qos, rap: Number(rap), rh, ...share };
}
