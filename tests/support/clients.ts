/** Clients for the end-to-end tests: raw packets over a socket, mqtt.js, and the programs of mosquitto-clients. */
import { connect as netConnect, type Socket } from "node:net";
import { type ConnectionOptions, connect as tlsConnect } from "node:tls";
import mqttJs, { type IClientOptions, type MqttClient } from "mqtt";
import mqttPacket, { type IConnectPacket, type Packet } from "mqtt-packet";
import { PATIENCE_MS, until } from "./until.ts";

export { until };

export const connectPacket = (version: 3 | 4 | 5, clientId: string, more: Partial<IConnectPacket> = {}): IConnectPacket =>
  ({
    cmd: "connect",
    protocolId: version === 3 ? "MQIsdp" : "MQTT",
    protocolVersion: version,
    clean: true,
    clientId,
    keepalive: 0,
    ...more,
  }) as IConnectPacket;

type Kind = Packet["cmd"];
type Of<K extends Kind> = Extract<Packet, { cmd: K }>;

/** A socket, with mqtt-packet on it: no logic of a client, so that it can do what no client would. */
export class RawClient {
  /** Packets that have come and were not taken yet. */
  readonly inbox: Packet[] = [];
  /** Bytes that have come. */
  received = 0;
  closed = false;
  onPacket: ((p: Packet) => void) | null = null;
  readonly #parser: ReturnType<typeof mqttPacket.parser>;

  private constructor(
    readonly socket: Socket,
    readonly version: 3 | 4 | 5,
  ) {
    this.#parser = mqttPacket.parser({ protocolVersion: version });
    this.#parser.on("packet", (p) => (this.onPacket === null ? void this.inbox.push(p) : this.onPacket(p)));
    // What the broker sends must be valid: anything else shows as a packet that does not come.
    this.#parser.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      this.received += chunk.length;
      this.#parser.parse(chunk as Buffer);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
    });
    socket.on("end", () => {
      this.closed = true;
    });
  }

  /** An open connection; nothing sent yet. */
  static open(port: number, version: 3 | 4 | 5 = 4): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = netConnect({ host: "127.0.0.1", port, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RawClient(socket, version));
      });
    });
  }

  /** The same over TLS, whatever the broker's certificate is. */
  static secure(port: number, options: ConnectionOptions = {}, version: 3 | 4 | 5 = 4): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = tlsConnect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
      socket.once("error", reject);
      socket.once("secureConnect", () => {
        socket.off("error", reject);
        resolve(new RawClient(socket, version));
      });
    });
  }

  /** Connected, CONNACK checked. */
  static async connected(port: number, clientId: string, version: 3 | 4 | 5 = 4, more: Partial<IConnectPacket> = {}): Promise<RawClient> {
    const c = await RawClient.open(port, version);
    c.send(connectPacket(version, clientId, more));
    const ack = await c.next("connack");
    const code = version === 5 ? ack.reasonCode : ack.returnCode;
    if (code !== 0) throw new Error(`CONNACK ${code}`);
    return c;
  }

  send(...packets: (Packet | Uint8Array)[]): void {
    const bytes = packets.map((p) => (p instanceof Uint8Array ? p : mqttPacket.generate(p, { protocolVersion: this.version })));
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(bytes));
  }

  /** The next packet of that kind; those before it are thrown away. */
  async next<K extends Kind>(kind: K, ms = PATIENCE_MS): Promise<Of<K>> {
    for (;;) {
      await until(() => this.inbox.length > 0 || this.closed, `${kind} on ${this.version === 5 ? "a 5.0" : "a 3.x"} connection`, ms);
      const p = this.inbox.shift();
      if (p === undefined) throw new Error(`closed before a ${kind} came`);
      if (p.cmd === kind) return p as Of<K>;
    }
  }

  async subscribe(topic: string, qos: 0 | 1 | 2 = 0): Promise<void> {
    const flags = this.version === 5 ? { nl: false, rap: false, rh: 0 } : {};
    this.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos, ...flags }] } as Packet);
    await this.next("suback");
  }

  publish(topic: string, payload: string | Buffer, qos: 0 | 1 | 2 = 0, messageId = 1): void {
    this.send({ cmd: "publish", topic, payload, qos, dup: false, retain: false, ...(qos > 0 ? { messageId } : {}) } as Packet);
  }

  /** PINGREQ answered: the broker serves this connection. */
  async ping(ms = PATIENCE_MS): Promise<void> {
    this.send({ cmd: "pingreq" });
    await this.next("pingresp", ms);
  }

  whenClosed(ms = PATIENCE_MS): Promise<void> {
    return until(() => this.closed, "the broker closes the connection", ms);
  }

  drop(): void {
    this.socket.destroy();
  }
}

export interface Received {
  topic: string;
  payload: string;
  qos: number;
  retain: boolean;
}

/** mqtt.js, connected once, with what it has received. */
export async function jsClient(url: string, options: IClientOptions = {}): Promise<{ client: MqttClient; received: Received[] }> {
  const received: Received[] = [];
  const client = mqttJs.connect(url, { reconnectPeriod: 0, connectTimeout: PATIENCE_MS, ...options });
  client.on("message", (topic, payload, p) => received.push({ topic, payload: payload.toString(), qos: p.qos, retain: p.retain }));
  await new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", reject);
    client.once("close", () => reject(new Error(`${url}: closed before it was connected`)));
  });
  client.on("error", () => {});
  return { client, received };
}

async function finished(child: Bun.Subprocess<"ignore", "pipe", "pipe">): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { code, stdout, stderr };
}

export function mosquittoPub(args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return finished(Bun.spawn(["mosquitto_pub", ...args], { stdio: ["ignore", "pipe", "pipe"] }));
}

/** mosquitto_sub that ends by itself after `count` messages; `ready` when the broker has confirmed the subscription. */
export function mosquittoSub(args: string[], count: number): { ready: Promise<void>; messages: Promise<string[]> } {
  const command = [
    "stdbuf",
    "-oL",
    "mosquitto_sub",
    "-d",
    "-C",
    String(count),
    "-W",
    String(PATIENCE_MS / 1000),
    "-F",
    "message:%t:%q:%r:%p",
    ...args,
  ];
  const child = Bun.spawn(Bun.which("stdbuf") === null ? command.slice(2) : command, { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  let confirm: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    confirm = resolve;
  });
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      out += decoder.decode(chunk, { stream: true });
      if (out.includes("Subscribed (mid")) confirm();
    }
  })();
  const complaints = new Response(child.stderr).text().then((text) => {
    err = text;
  });
  const messages = Promise.all([reading, complaints, child.exited]).then(([, , code]) => {
    confirm();
    if (code !== 0) throw new Error(`mosquitto_sub ended with code ${code}: ${err}${out}`);
    return out
      .split("\n")
      .filter((line) => line.startsWith("message:"))
      .map((line) => line.slice("message:".length));
  });
  return { ready, messages };
}
