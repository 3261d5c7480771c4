/** NATS' own client, one that publishes. Its own reconnecting is off: connections are made when they are needed (`Links`). */
import type { JetStreamClient } from "@nats-io/jetstream";
import type { ConnectionOptions, MsgHdrs, NatsConnection } from "@nats-io/transport-node";
import { type ServerAddress, shownAddress } from "../_backend/address.ts";
import { BackendError, notWanted } from "../_backend/errors.ts";
import { Links } from "../_backend/links.ts";
import type { Judgement } from "../_backend/options.ts";
import type { Missing } from "./connector.ts";
import { type Payload, payloadBytes } from "./payload.ts";
import { Window } from "./window.ts";

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
  readonly window = new Window(() => WINDOW);
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
        this.connection.publish(item.subject, ...this.#message(item, false));
      } catch (err) {
        if (judgeNats(err) !== "refused") throw err;
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
  store(items: readonly NatsMessage[], wanted: () => boolean): Promise<Missing> {
    return this.window.all(
      items,
      async (item) => {
        const [bytes, more] = this.#message(item, true);
        await this.#jetstream.publish(item.subject, bytes, { ...more, timeout: this.timeoutMs });
      },
      wanted,
    );
  }

  /** `named`: for JetStream, with the id. The server counts headers as it counts the payload. @throws BackendError it is too large, or a header is none */
  #message({ payload, headers, id }: NatsMessage, named: boolean): [bytes: Uint8Array, { headers?: MsgHdrs }] {
    const bytes = payloadBytes(payload);
    const made = this.#headers(named ? { ...headers, [MESSAGE_ID]: id } : headers);
    const most = this.connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    if (bytes.length + bytesOf(made) > most) throw new BackendError("refused", `larger than the ${most} bytes that the server takes`);
    return [bytes, made === null ? {} : { headers: made }];
  }

  #headers(headers: NatsMessage["headers"]): MsgHdrs | null {
    const all = Object.entries(headers);
    if (all.length === 0) return null;
    const made = this.library.headers();
    try {
      for (const [name, value] of all) made.set(name, value.replaceAll(/[\r\n]/g, " "));
    } catch (err) {
      throw new BackendError("refused", (err as Error).message);
    }
    return made;
  }
}

const MESSAGE_ID = "Nats-Msg-Id";

/** As they are sent: "NATS/1.0", a line for each, an empty one. */
function bytesOf(headers: MsgHdrs | null): number {
  if (headers === null) return 0;
  let bytes = "NATS/1.0\r\n\r\n".length;
  for (const [name, values] of headers) for (const value of values) bytes += Buffer.byteLength(`${name}: ${value}\r\n`);
  return bytes;
}

type Library = typeof import("@nats-io/transport-node") & Pick<typeof import("@nats-io/jetstream"), "jetstream">;

export class NatsDriver {
  readonly #links: Links<Link>;

  constructor(library: Library, o: NatsServers) {
    this.#links = new Links<Link>(o.pool, {
      open: async () => new Link(library, await library.connect(optionsOf(o)), o.timeoutMs),
      alive: (link) => link.isOpen && !link.connection.isClosed(),
      close: (link) => void link.connection.close().catch(() => {}),
      busy: (link) => !link.window.isEmpty,
    });
  }

  static async open(o: NatsServers): Promise<NatsDriver> {
    const [transport, { jetstream }] = await Promise.all([import("@nats-io/transport-node"), import("@nats-io/jetstream")]);
    return new NatsDriver({ ...transport, jetstream }, o);
  }

  async publish(items: readonly NatsMessage[], stored: boolean, wanted: () => boolean): Promise<Missing> {
    const link = await this.#links.ready();
    if (!wanted()) throw notWanted();
    return stored ? link.store(items, wanted) : link.publish(items);
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

const LOST = /^(?:ClosedConnectionError|DrainingConnectionError|ConnectionError|RequestError)$/;
/** About the message itself: no right to its subject, what is none, what the library does not send. */
const REFUSED = /^(?:PermissionViolationError|InvalidSubjectError|InvalidArgumentError)$/;
/** No stream keeps that subject, or the server has none at all. */
const NO_STREAM = /^(?:NoResponders|JetStreamNotEnabled)$/;
/** JetStream's number: larger than the stream takes. */
const STREAM_TOO_LARGE = 10_054;

export function judgeNats(err: unknown): Judgement {
  if (err instanceof BackendError) return err.kind === "refused" ? "refused" : "down";
  const causes = causesOf(err);
  if (causes.some(({ name }) => REFUSED.test(name))) return "refused";
  // That can be mended.
  if (saysNoStream(err)) return "part";
  const [first] = causes;
  if (first?.name === "JetStreamApiError") return (err as { code?: unknown }).code === STREAM_TOO_LARGE ? "refused" : "part";
  if (first?.name === "AuthorizationError" || /refused|authorization/i.test(first?.message ?? "")) return "down";
  return LOST.test(first?.name ?? "") ? "lost" : "down";
}

export const saysNoStream = (err: unknown): boolean => causesOf(err).some(({ name }) => NO_STREAM.test(name));

/** The library puts what was wrong into one error after the other. */
function causesOf(err: unknown): { name: string; message: string }[] {
  const all: { name: string; message: string }[] = [];
  for (let at = err; at instanceof Error && all.length < 5; at = at.cause) all.push(at);
  return all;
}
