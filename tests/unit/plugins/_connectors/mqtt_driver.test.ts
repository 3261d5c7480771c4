import { afterEach, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { generate, type IConnectPacket, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import { wordsOf } from "../../../../server/lib/errors.ts";
import type { Connected } from "../../../../server/plugins/_connectors/connector.ts";
import { MQTT } from "../../../../server/plugins/_connectors/mqtt.ts";
import { judgeMqtt, type MqttDriver, type Publication } from "../../../../server/plugins/_connectors/mqtt_driver.ts";
import { kindOf, Wired } from "../../../support/connector_host.ts";
import { until } from "../../../support/until.ts";

/** A broker that closes a connection with more than Receive Maximum under way, as it has to (MQTT 5, 3.3.4), and one whose client id comes again. */
class Broker {
  readonly clients = new Map<string, Socket>();
  readonly published: string[] = [];
  connects: string[] = [];
  exceeded = 0;
  takenOver = 0;
  readonly #server: Server;

  private constructor(
    private readonly receiveMaximum: number,
    /** Reason code of a message, after so many ms. */
    private readonly answer: (topic: string) => { code?: number; ms: number },
    private readonly protocolVersion: 4 | 5,
  ) {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(receiveMaximum: number, answer: Broker["answer"], protocolVersion: 4 | 5 = 5): Promise<Broker> {
    const broker = new Broker(receiveMaximum, answer, protocolVersion);
    await new Promise<void>((resolve) => broker.#server.listen(0, "127.0.0.1", resolve));
    return broker;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  #serve(socket: Socket): void {
    const { protocolVersion } = this;
    const reading = parser({ protocolVersion });
    const out = (packet: Packet): void => {
      if (!socket.destroyed) socket.write(generate(packet, { protocolVersion }));
    };
    let under = 0;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => void reading.parse(chunk));
    reading.on("packet", (packet: Packet) => {
      if (packet.cmd === "connect") this.#connected(packet, socket, out);
      else if (packet.cmd === "pingreq") out({ cmd: "pingresp" });
      else if (packet.cmd === "publish") {
        if (++under > this.receiveMaximum) {
          this.exceeded++;
          socket.destroy();
        } else
          this.#answer(packet, (ack) => {
            under--;
            out(ack);
          });
      }
    });
  }

  #connected({ clientId }: IConnectPacket, socket: Socket, out: (packet: Packet) => void): void {
    const before = this.clients.get(clientId);
    if (before !== undefined && !before.destroyed) {
      this.takenOver++;
      before.destroy();
    }
    this.clients.set(clientId, socket);
    socket.once("close", () => {
      if (this.clients.get(clientId) === socket) this.clients.delete(clientId);
    });
    this.connects.push(clientId);
    out({ cmd: "connack", reasonCode: 0, returnCode: 0, sessionPresent: false, properties: { receiveMaximum: this.receiveMaximum } });
  }

  #answer({ topic, messageId }: IPublishPacket, done: (ack: Packet) => void): void {
    this.published.push(topic);
    const { code = 0, ms } = this.answer(topic);
    setTimeout(() => done({ cmd: "puback", messageId: messageId as number, reasonCode: code }), ms);
  }

  async stop(): Promise<void> {
    for (const socket of this.clients.values()) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let broker: Broker;
let w: Wired;
afterEach(async () => {
  await w.close();
  await broker.stop();
});

const wire = (config: Record<string, unknown>, params: Record<string, unknown>): Wired =>
  new Wired(
    kindOf(MQTT, "data_to_mqtt_broker"),
    { address: `127.0.0.1:${broker.port}`, clientid: "bridge", ...config },
    { payload_tmpl: "x", batch_wait: 0, ...params },
  );

test("however many batches there are, a connection has no more under way than the broker takes", async () => {
  broker = await Broker.start(10, (topic) => ({ ms: topic.startsWith("slow") ? 30 : 1 }));
  w = wire({ pool_size: 2 }, { forward_topic: "$" + "{t}", batch_size: 50 });
  // One lane is slow, the other one has a batch for each of the connections meanwhile.
  const laneOf = (key: string): number => Number(Bun.hash.crc32(key)) % 2;
  const [slow, quick] = [0, 1].map((lane) => ["a", "b", "c", "d"].find((key) => laneOf(key) === lane) as string);
  for (let n = 0; n < 100; n++) w.run({ t: `slow/${n}` }, slow);
  for (let n = 0; n < 300; n++) w.run({ t: `quick/${n}` }, quick);
  await until(() => w.settled, "all is there");
  expect([broker.exceeded, broker.published.length, w.host.counts]).toEqual([0, 400, { done: 400, failed: 0, dropped: 0 }]);
  for (const which of ["slow", "quick"]) {
    const found = broker.published.filter((topic) => topic.startsWith(which)).map((topic) => Number(topic.split("/")[1]));
    expect(found).toEqual([...found].sort((a, b) => a - b));
  }
});

test("what is made in the place of a lost connection has its client id, and throws nobody out", async () => {
  broker = await Broker.start(10, () => ({ ms: 1 }));
  w = wire({ pool_size: 2 }, { forward_topic: "t", ordered: false });
  const both = (): boolean => {
    w.run({});
    return broker.clients.size === 2;
  };
  await until(both, "both are connected");
  broker.connects = [];
  broker.clients.get("bridge_1")?.destroy();
  // It may be back before anybody has seen that it was gone.
  await until(() => {
    w.run({});
    return broker.connects.length > 0;
  }, "it is back");
  await until(() => w.settled, "all is there");
  expect([broker.connects, broker.takenOver]).toEqual([["bridge_1"], 0]);
});

test("a message that the broker refuses without a reason is given up after its tries, and others are not held up", async () => {
  broker = await Broker.start(10, (topic) => ({ ms: 1, code: topic === "evil" ? 0x80 : topic === "worse" ? 0x83 : 0 }));
  w = wire({}, { forward_topic: "$" + "{t}", retries: 1 });
  for (const t of ["evil", "a", "worse", "b"]) w.run({ t });
  await until(() => w.settled, "all is over");
  expect([w.host.counts, w.letters.length]).toEqual([{ done: 2, failed: 2, dropped: 0 }, 2]);
  const times = (t: string): number => broker.published.filter((topic) => topic === t).length;
  expect(["evil", "worse", "a", "b"].map(times)).toEqual([2, 2, 1, 1]);
});

test("a broker that takes longer for a batch than anybody waits gets it in parts", async () => {
  broker = await Broker.start(1, () => ({ ms: 20 }));
  w = wire({ timeout: 1 }, { forward_topic: "$" + "{t}" });
  for (let n = 0; n < 100; n++) w.run({ t: String(n) });
  await until(() => w.settled, "all is there");
  expect(w.host.counts).toEqual({ done: 100, failed: 0, dropped: 0 });
  // What has had no answer in time comes again, and not without end.
  expect(new Set(broker.published).size).toBe(100);
  expect(broker.published.length).toBeLessThan(400);
});

test("a row whose user properties no packet can have is refused, and the connection goes on", async () => {
  broker = await Broker.start(10, () => ({ ms: 1 }));
  w = wire({}, { forward_topic: "$" + "{t}", user_properties: { x: "$" + "{x}" } });
  for (const [t, x] of Object.entries({ a: "1", long: "x".repeat(70_000), b: "2", control: "\u0001", c: "3" })) w.run({ t, x });
  await until(() => w.settled, "all is over");
  expect([w.host.counts, broker.published, broker.connects]).toEqual([{ done: 3, failed: 2, dropped: 0 }, ["a", "b", "c"], ["bridge"]]);
  expect(w.host.reasons).toEqual([
    "no packet can have it: user_properties.x is longer than 65,535 bytes",
    "no packet can have it: user_properties.x has control characters, or others that MQTT does not allow",
  ]);
  expect(w.letters).toHaveLength(2);
});

test("to a broker of MQTT 3.1.1 no user properties are sent, and no row fails for them", async () => {
  broker = await Broker.start(10, () => ({ ms: 1 }), 4);
  w = wire({ proto_ver: "mqttv4" }, { forward_topic: "$" + "{t}", user_properties: { x: "$" + "{x}" } });
  w.run({ t: "a", x: "\u0001" });
  await until(() => w.settled, "all is over");
  expect([w.host.counts, broker.published]).toEqual([{ done: 1, failed: 0, dropped: 0 }, ["a"]]);
});

test("what was made when nobody looked at it, and has waited on the disk since, is refused where it is sent", async () => {
  broker = await Broker.start(10, () => ({ ms: 1 }));
  w = wire({}, { forward_topic: "t" });
  const good: Publication = { topic: "a", payload: "x", qos: 1, retain: false, userProperties: { x: "1" } };
  const items: Publication[] = [
    good,
    { ...good, userProperties: { x: "\u0001" } },
    { ...good, userProperties: { "\u0001": "x" } },
    { ...good, topic: "a\u0001" },
    { ...good, topic: "b" },
  ];
  const { backend } = w.resource as Connected<MqttDriver>;
  const missing = await backend.ask((driver) => driver.publish(items, () => true));
  const why = "has control characters, or others that MQTT does not allow";
  expect([...missing].map(([at, err]) => [at, judgeMqtt(err), wordsOf(err)])).toEqual([
    [1, "refused", `user_properties.x ${why}`],
    [2, "refused", `user_properties.\u0001 ${why}`],
    [3, "refused", 'forward_topic: "a\\u0001" is no topic to publish to'],
  ]);
  expect([broker.published, broker.connects]).toEqual([["a", "b"], ["bridge"]]);
});

test("a name of a user property that no packet can have is refused when the action is made", async () => {
  broker = await Broker.start(10, () => ({ ms: 1 }));
  w = wire({}, { forward_topic: "t" });
  const { action } = kindOf(MQTT, "data_to_mqtt_broker");
  const opened = (name: string) => () => action.open({ forward_topic: "t", user_properties: { [name]: "x" } }, w.host, w.resource);
  for (const name of ["x".repeat(65_536), "a\u0001"]) expect(opened(name)).toThrow("user_properties: the name");
});
