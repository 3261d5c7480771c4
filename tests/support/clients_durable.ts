/**
 * Both ends of a persistent session, with the sender's and the receiver's half of the QoS handshakes kept across connections as the
 * specification wants it (section 4.1). What the broker acknowledged and what it delivered is written down, to be compared.
 */
import type { IConnectPacket, Packet } from "mqtt-packet";
import { RawClient } from "./clients.ts";

/** Session that outlives its connections in every version. */
const persistent = (version: 4 | 5): Partial<IConnectPacket> => ({
  clean: false,
  ...(version === 5 ? { properties: { sessionExpiryInterval: 3600 } } : {}),
});

/** Publishes numbers 0, 1, 2 … to one topic, a window at a time. */
export class DurablePublisher {
  /** Numbers whose PUBACK or PUBREC has come: from here on they are the broker's. */
  readonly acknowledged = new Set<number>();
  /** Connections on which the broker said it had the session. */
  resumed = 0;
  sent = 0;
  #client: RawClient | null = null;
  #nextId = 1;
  /** In order of first sending; a number until it is received, then null until PUBCOMP. */
  readonly #open = new Map<number, number | null>();

  constructor(
    readonly clientId: string,
    readonly topic: string,
    readonly qos: 1 | 2,
    readonly total: number,
    readonly version: 4 | 5 = 4,
    readonly window = 20,
  ) {}

  get done(): boolean {
    return this.sent === this.total && this.#open.size === 0;
  }

  /** Connect, send again what is open, go on. */
  async connect(port: number): Promise<void> {
    const c = await RawClient.open(port, this.version);
    c.send({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: this.version,
      clientId: this.clientId,
      keepalive: 0,
      ...persistent(this.version),
    } as IConnectPacket);
    const ack = await c.next("connack");
    if (ack.sessionPresent) this.resumed++;
    this.#client = c;
    c.onPacket = (p) => this.#handle(p);
    for (const [id, n] of this.#open) {
      if (n === null) c.send({ cmd: "pubrel", messageId: id } as Packet);
      else this.#publish(id, n, true);
    }
    for (const p of c.inbox.splice(0)) this.#handle(p);
    this.#fill();
  }

  #publish(id: number, n: number, dup: boolean): void {
    this.#client?.send({
      cmd: "publish",
      topic: this.topic,
      payload: String(n),
      qos: this.qos,
      dup,
      retain: false,
      messageId: id,
    } as Packet);
  }

  #fill(): void {
    while (this.#open.size < this.window && this.sent < this.total) {
      while (this.#open.has(this.#nextId)) this.#nextId = (this.#nextId % 65535) + 1;
      const id = this.#nextId;
      this.#nextId = (id % 65535) + 1;
      this.#open.set(id, this.sent);
      this.#publish(id, this.sent++, false);
    }
  }

  #handle(p: Packet): void {
    const id = p.messageId ?? 0;
    if (p.cmd === "puback" || p.cmd === "pubcomp") {
      const n = this.#open.get(id);
      if (typeof n === "number") this.acknowledged.add(n);
      this.#open.delete(id);
      this.#fill();
    } else if (p.cmd === "pubrec") {
      const n = this.#open.get(id);
      if (typeof n === "number") this.acknowledged.add(n);
      this.#open.set(id, null);
      this.#client?.send({ cmd: "pubrel", messageId: id } as Packet);
    }
  }
}

/** Receives by QoS 1 or 2 on one subscription. */
export class DurableSubscriber {
  /** Everything delivered, in order; QoS 2 after its own check for duplicates. */
  readonly numbers: number[] = [];
  resumed = 0;
  #client: RawClient | null = null;
  /** QoS 2 identifiers between PUBREC and PUBREL. */
  readonly #waiting = new Set<number>();

  constructor(
    readonly clientId: string,
    readonly topic: string,
    readonly qos: 1 | 2,
    readonly version: 4 | 5 = 4,
  ) {}

  async connect(port: number): Promise<void> {
    const c = await RawClient.open(port, this.version);
    const connect = { cmd: "connect", protocolId: "MQTT", protocolVersion: this.version, clientId: this.clientId, keepalive: 0 };
    c.send({ ...connect, ...persistent(this.version) } as IConnectPacket);
    const ack = await c.next("connack");
    if (ack.sessionPresent) this.resumed++;
    else await c.subscribe(this.topic, this.qos);
    this.#client = c;
    c.onPacket = (p) => this.#handle(p);
    for (const p of c.inbox.splice(0)) this.#handle(p);
  }

  /** Goes away without losing the session. */
  async leave(): Promise<void> {
    this.#client?.send({ cmd: "disconnect" } as Packet);
    await this.#client?.whenClosed();
    this.#client = null;
  }

  #handle(p: Packet): void {
    const messageId = p.messageId ?? 0;
    if (p.cmd === "publish" && p.qos === 1) {
      this.numbers.push(Number(p.payload.toString()));
      this.#client?.send({ cmd: "puback", messageId } as Packet);
    } else if (p.cmd === "publish" && p.qos === 2) {
      if (!this.#waiting.has(messageId)) this.numbers.push(Number(p.payload.toString()));
      this.#waiting.add(messageId);
      this.#client?.send({ cmd: "pubrec", messageId } as Packet);
    } else if (p.cmd === "pubrel") {
      this.#waiting.delete(messageId);
      this.#client?.send({ cmd: "pubcomp", messageId } as Packet);
    }
  }
}

/** First arrivals only, in order. */
export const firsts = (numbers: readonly number[]): number[] => [...new Set(numbers)];
