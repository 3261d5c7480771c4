/** mqtt.js, as a client that publishes. Its own reconnecting and queueing are off: connections are made when they are needed (`Links`). */
import type { Socket } from "node:net";
import type { ErrorWithReasonCode, IClientOptions, IClientPublishOptions, MqttClient } from "mqtt";
import { validTopicName } from "../../mqtt/topic.ts";
import { whyNoString } from "../../mqtt/utf8.ts";
import { type ServerAddress, shownAddress } from "../_backend/address.ts";
import { BackendError } from "../_backend/errors.ts";
import { Links } from "../_backend/links.ts";
import type { Judgement } from "../_backend/options.ts";
import type { Missing } from "./connector.ts";
import { type Payload, payloadBytes } from "./payload.ts";
import { Window } from "./window.ts";

export interface MqttServer {
  address: ServerAddress;
  /** Of the first connection; the others have a number behind it. */
  clientId: string;
  /** "" = none. */
  username: string;
  password: string;
  version: 4 | 5;
  keepaliveSeconds: number;
  inflight: number;
  pool: number;
  timeoutMs: number;
  /** null = no TLS. */
  tls: Bun.TLSOptions | null;
}

export interface Publication {
  readonly topic: string;
  readonly payload: Payload;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  readonly userProperties: Readonly<Record<string, string>>;
}

/** In words; null = it is one. */
export const whyNoTopic = (topic: string): string | null =>
  validTopicName(topic) ? null : `forward_topic: ${JSON.stringify(topic.slice(0, 100))} is no topic to publish to`;

/** The connection has gone while something was under way. */
class Gone extends Error {
  override readonly name = "Gone";
}

class Link {
  readonly #waiting = new Set<(err: Error) => void>();
  #limits = { receiveMaximum: 65_535, packet: Number.POSITIVE_INFINITY, qos: 2, retain: true };
  /** For all that is published here: the broker counts what it has not acknowledged (MQTT 5, 3.3.4). */
  readonly window = new Window(() => Math.min(this.#limits.receiveMaximum, this.o.inflight));
  isOpen = true;
  /** Names of properties that a packet can have: an action's rows all have the same ones. */
  readonly #names = new Set<string>();

  constructor(
    readonly client: MqttClient,
    private readonly o: MqttServer,
  ) {
    client.on("close", () => this.#gone());
    // Told by whatever waits; without a listener it would be nobody's.
    client.on("error", () => {});
  }

  limited({ receiveMaximum, maximumPacketSize, maximumQoS, retainAvailable }: Readonly<Record<string, unknown>>): void {
    if (typeof receiveMaximum === "number") this.#limits.receiveMaximum = receiveMaximum;
    if (typeof maximumPacketSize === "number") this.#limits.packet = maximumPacketSize;
    if (typeof maximumQoS === "number") this.#limits.qos = maximumQoS;
    this.#limits.retain = retainAvailable !== false && retainAvailable !== 0;
  }

  #gone(): void {
    this.isOpen = false;
    for (const fail of [...this.#waiting]) fail(new Gone("the connection was closed"));
  }

  publish(items: readonly Publication[], wanted: () => boolean): Promise<Missing> {
    return this.window.all(items, (item) => this.#publish(item), wanted);
  }

  async #publish({ topic, payload, qos, retain, userProperties }: Publication): Promise<void> {
    const refusal = whyNoTopic(topic) ?? this.#whyNoProperties(userProperties);
    if (refusal !== null) throw new BackendError("refused", refusal);
    const bytes = payloadBytes(payload);
    if (retain && !this.#limits.retain) throw new BackendError("refused", "the broker keeps no retained messages");
    const size = bytes.length + Buffer.byteLength(topic) + 64 + JSON.stringify(userProperties).length;
    if (size > this.#limits.packet) throw new BackendError("refused", `larger than the ${this.#limits.packet} bytes that the broker takes`);
    const options: IClientPublishOptions = { qos: Math.min(qos, this.#limits.qos) as 0 | 1 | 2, retain };
    if (this.o.version === 5 && Object.keys(userProperties).length > 0) options.properties = { userProperties: { ...userProperties } };
    await this.#answered((done) => this.client.publish(topic, bytes, options, done));
  }

  /**
   * In words; null = they can be sent, or are not. Looked at here, since what has waited on the disk may be from before that was done: the library would
   * stop in the middle of a packet, or the broker end the connection, each time that the row is sent.
   */
  #whyNoProperties(properties: Readonly<Record<string, string>>): string | null {
    if (this.o.version !== 5) return null;
    for (const [name, value] of Object.entries(properties)) {
      const why = (this.#names.has(name) ? null : whyNoString(name)) ?? whyNoString(value);
      if (why !== null) return `user_properties.${name.slice(0, 64)} ${why}`;
      this.#names.add(name);
    }
    return null;
  }

  /** The answer to a ping: it is there. */
  async ping(): Promise<void> {
    await this.#answered((done) => {
      const heard = ({ cmd }: { cmd: string }): void => {
        if (cmd !== "pingresp") return;
        this.client.removeListener("packetreceive", heard);
        done();
      };
      this.client.on("packetreceive", heard);
      this.client.sendPing();
    });
  }

  #answered(ask: (done: (err?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) throw new Gone("the connection was closed");
      const fail = (err: Error): void => {
        this.#waiting.delete(fail);
        reject(err);
      };
      this.#waiting.add(fail);
      ask((err) => {
        if (err) fail(err);
        else if (this.#waiting.delete(fail)) resolve();
      });
    });
  }

  close(): void {
    this.#gone();
    this.client.end(true);
  }
}

export class MqttDriver {
  readonly #links: Links<Link>;

  constructor(
    private readonly library: typeof import("mqtt"),
    private readonly o: MqttServer,
  ) {
    this.#links = new Links<Link>(o.pool, {
      open: (n) => this.#open(n),
      alive: (link) => link.isOpen,
      close: (link) => link.close(),
      busy: (link) => !link.window.isEmpty,
    });
  }

  static async open(o: MqttServer): Promise<MqttDriver> {
    return new MqttDriver(await import("mqtt"), o);
  }

  /** `n`: each has a client id of its own, or the broker would close the one that has it. */
  async #open(n: number): Promise<Link> {
    const client = this.library.connect(
      `${this.o.tls === null ? "mqtt" : "mqtts"}://${shownAddress(this.o.address)}`,
      optionsOf(this.o, n),
    );
    const link = new Link(client, this.o);
    try {
      await new Promise<void>((resolve, reject) => {
        let why: Error | null = null;
        client.once("connect", ({ properties }) => {
          // A message must not wait for the acknowledgement of the one before it, 40 ms each where the broker waits likewise.
          (client.stream as Partial<Socket>).setNoDelay?.(true);
          link.limited((properties ?? {}) as Record<string, unknown>);
          resolve();
        });
        client.on("error", (err) => {
          why ??= err;
        });
        client.once("close", () => reject(why ?? new Error("it closes the connection before it has answered")));
      });
    } catch (err) {
      link.close();
      throw err;
    }
    return link;
  }

  async publish(items: readonly Publication[], wanted: () => boolean): Promise<Missing> {
    return (await this.#links.ready()).publish(items, wanted);
  }

  async probe(): Promise<void> {
    await (await this.#links.ready()).ping();
  }

  lost(): boolean {
    return this.#links.lost();
  }

  close(): void {
    this.#links.close();
  }
}

function optionsOf(o: MqttServer, n: number): IClientOptions {
  return {
    clientId: n === 0 ? o.clientId : `${o.clientId}_${n}`,
    protocolVersion: o.version,
    clean: true,
    keepalive: o.keepaliveSeconds,
    reconnectPeriod: 0,
    connectTimeout: o.timeoutMs,
    queueQoSZero: false,
    resubscribe: false,
    ...(o.username !== "" && { username: o.username }),
    ...(o.password !== "" && { password: o.password }),
    ...(o.tls !== null && (o.tls as IClientOptions)),
  };
}

/** Reasons why this very message is not taken (MQTT 5, 3.4.2.1): no right to it, its topic, its payload's form, its size. */
const REFUSED = new Set([0x87, 0x90, 0x95, 0x99, 0x9a, 0x9b]);

/** It does not want to say why, or has reasons of its own: that may be the message, whatever its topic is. */
const UNSAID = new Set([0x80, 0x83]);

export const blamesMessage = (err: unknown): boolean => UNSAID.has(Number((err as Partial<ErrorWithReasonCode> | null)?.code));

export function judgeMqtt(err: unknown): Judgement {
  if (err instanceof BackendError) return err.kind === "refused" ? "refused" : "down";
  if (err instanceof Gone) return "lost";
  const { code, message } = (err ?? {}) as Partial<ErrorWithReasonCode>;
  if (/^Publish error/.test(String(message))) return REFUSED.has(Number(code)) ? "refused" : "part";
  return /^(?:Connection closed|client disconnecting)/i.test(String(message)) ? "lost" : "down";
}
