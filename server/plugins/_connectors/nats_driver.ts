/** NATS' own client, one that publishes. Its own reconnecting is off: connections are made when they are needed (`Links`). */
import type { JetStreamClient } from "@nats-io/jetstream";
import type { ConnectionOptions, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import { type ServerAddress, shownAddress } from "../_backend/address.ts";
import { BackendError } from "../_backend/errors.ts";
import { Links } from "../_backend/links.ts";
import type { Judgement } from "../_backend/options.ts";
import type { Missing } from "./connector.ts";
import { type Payload, payloadBytes } from "./payload.ts";
import { inWindow } from "./window.ts";

export interface NatsServers {
  addresses: readonly ServerAddress[];
  /** "" = none. */
  username: string;
  password: string;
  token: string;
  pool: number;
  timeoutMs: number;
  /** null = none, unless the server asks for it. */
  tls: Bun.TLSOptions | null;
}

export interface NatsMessage {
  readonly subject: string;
  readonly payload: Payload;
  readonly headers: Readonly<Record<string, string>>;
  /** By which JetStream knows what it has already. */
  readonly id: string;
}

/** Answers that are awaited at a time. */
const WINDOW = 256;

class Link {
  readonly #jetstream: JetStreamClient;
  /** Subjects that the account may not publish to, as the server has said since somebody asked. */
  #denied = new Map<string, Error>();
  isOpen = true;

  constructor(
    private readonly library: Library,
    readonly connection: NatsConnection,
    private readonly timeoutMs: number,
  ) {
    this.#jetstream = library.jetstream(connection, { timeout: timeoutMs });
    void connection.closed().then(() => {
      this.isOpen = false;
    });
    void this.#watch();
  }

  async #watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === "error" && status.error instanceof this.library.PermissionViolationError)
        this.#denied.set(status.error.subject, status.error);
      else if (status.type === "disconnect") this.isOpen = false;
    }
  }

  /** Without acknowledgements the server's answer to a ping says that it has read what came before. */
  async publish(items: readonly NatsMessage[]): Promise<Missing> {
    this.#denied = new Map();
    const missing = new Map<number, unknown>();
    for (const [i, item] of items.entries()) {
      try {
        this.connection.publish(item.subject, this.#bytes(item), this.#headers(item));
      } catch (err) {
        if (!(err instanceof BackendError)) throw err;
        missing.set(i, err);
      }
    }
    await this.connection.flush();
    // What the server has said before its answer is told a moment later.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#denied.size > 0)
      for (const [i, { subject }] of items.entries()) if (this.#denied.has(subject)) missing.set(i, this.#denied.get(subject));
    return missing;
  }

  /** As each stream says that it has it. */
  store(items: readonly NatsMessage[]): Promise<Missing> {
    return inWindow(items, WINDOW, async (item) => {
      await this.#jetstream.publish(item.subject, this.#bytes(item), {
        msgID: item.id,
        timeout: this.timeoutMs,
        ...this.#headers(item),
      });
    });
  }

  #bytes({ payload }: NatsMessage): Uint8Array {
    const bytes = payloadBytes(payload);
    const most = this.connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    if (bytes.length > most) throw new BackendError("refused", `larger than the ${most} bytes that the server takes`);
    return bytes;
  }

  #headers({ headers }: NatsMessage): { headers?: MsgHdrs } {
    const all = Object.entries(headers);
    if (all.length === 0) return {};
    const made = this.library.headers();
    try {
      for (const [name, value] of all) made.set(name, value.replaceAll(/[\r\n]/g, " "));
    } catch (err) {
      throw new BackendError("refused", (err as Error).message);
    }
    return { headers: made };
  }
}

type Library = typeof import("@nats-io/transport-node") & Pick<typeof import("@nats-io/jetstream"), "jetstream">;

export class NatsDriver {
  readonly #links: Links<Link>;

  constructor(library: Library, o: NatsServers) {
    this.#links = new Links<Link>(o.pool, {
      open: async () => new Link(library, await library.connect(optionsOf(o)), o.timeoutMs),
      alive: (link) => link.isOpen && !link.connection.isClosed(),
      close: (link) => void link.connection.close().catch(() => {}),
    });
  }

  static async open(o: NatsServers): Promise<NatsDriver> {
    const [transport, { jetstream }] = await Promise.all([import("@nats-io/transport-node"), import("@nats-io/jetstream")]);
    return new NatsDriver({ ...transport, jetstream }, o);
  }

  async publish(items: readonly NatsMessage[], stored: boolean): Promise<Missing> {
    const link = await this.#links.ready();
    return stored ? link.store(items) : link.publish(items);
  }

  async probe(): Promise<void> {
    await (await this.#links.ready()).connection.flush();
  }

  lost(): boolean {
    return this.#links.lost();
  }

  close(): void {
    this.#links.close();
  }
}

function optionsOf(o: NatsServers): ConnectionOptions {
  return {
    servers: o.addresses.map(shownAddress),
    name: "BaoMQ",
    reconnect: false,
    timeout: o.timeoutMs,
    ignoreClusterUpdates: true,
    ...(o.username !== "" && { user: o.username, pass: o.password }),
    ...(o.token !== "" && { token: o.token }),
    ...(o.tls !== null && { tls: o.tls as NonNullable<ConnectionOptions["tls"]> }),
  };
}

const LOST = /^(?:ClosedConnectionError|DrainingConnectionError|ConnectionError|RequestError|TimeoutError)$/;

export function judgeNats(err: unknown): Judgement {
  if (err instanceof BackendError) return err.kind === "refused" ? "refused" : "down";
  const { name, message, cause } = (err ?? {}) as { name?: string; message?: string; cause?: unknown };
  if (name === "PermissionViolationError" || name === "InvalidSubjectError") return "refused";
  // No stream keeps that subject, or the server has none at all: that can be mended.
  if (name === "NoRespondersError" || (cause as Error | undefined)?.name === "NoRespondersError") return "part";
  if (name === "JetStreamApiError") return "part";
  if (name === "AuthorizationError" || /refused|authorization/i.test(String(message))) return "down";
  return LOST.test(String(name)) && name !== "TimeoutError" ? "lost" : "down";
}
