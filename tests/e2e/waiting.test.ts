/** Clients whose CONNECT waits for a web service: they leave, come again, are banned, are put somewhere. On every kind of listener. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { connect as tcpConnect } from "node:net";
import { connect as tlsConnect } from "node:tls";
import mqttPacket, { type IConnectPacket } from "mqtt-packet";
import { AuthKit } from "../support/auth_kit.ts";
import { connectPacket, RawClient, until } from "../support/clients.ts";

/** Requests at a time: further ones wait in line. */
const POOL = 2;
const EACH = 10;

let service: ReturnType<typeof Bun.serve>;
/** Of user "slow", as long as they are held. */
let held: ((response: Response) => void)[] = [];
let mountpoint = "";
let kit: AuthKit;
let watcher: RawClient;

beforeAll(async () => {
  service = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const fields = new URLSearchParams(await request.text());
      if (fields.get("username") === "slow") return new Promise<Response>((done) => held.push(done));
      return new Response(mountpoint === "" ? "" : JSON.stringify({ mountpoint }));
    },
  });
  const at = (path: string): string => `http://127.0.0.1:${service.port}/${path}`;
  kit = new AuthKit("emqx_auth_http", "auth.http");
  const lines = { auth_req: at("auth"), super_req: "", acl_req: "", timeout: "1m", pool: POOL };
  // Nothing ends by itself before it is noticed.
  await kit.start(lines, { "zone.external.idle_timeout": "10m" });
});
afterAll(async () => {
  await kit.stop([]);
  await service.stop(true);
});
beforeEach(async () => {
  held = [];
  mountpoint = "";
  watcher = await kit.client("watcher", "x");
  await watcher.subscribe("wills");
  return () => watcher.drop();
});

const slow = (clientId: string, version: 4 | 5 = 4): IConnectPacket =>
  connectPacket(version, clientId, {
    username: "slow",
    password: Buffer.from("x"),
    will: { topic: "wills", payload: Buffer.from(clientId), qos: 0, retain: false },
  });

const server = async () => (await kit.status()).servers[0] as NonNullable<Awaited<ReturnType<typeof kit.status>>["servers"][0]>;
/** Every question that was held, and those in line behind them. */
async function release(): Promise<void> {
  await until(async () => {
    for (const answer of held.splice(0)) answer(new Response(""));
    const { running, waiting } = await server();
    return running + waiting === 0;
  }, "all questions are settled");
}
async function connections(): Promise<number> {
  const { data } = await kit.api<{ protocol: string; current_conns: number }[]>("GET", "listeners");
  return data.filter((l) => l.protocol.startsWith("mqtt:")).reduce((sum, l) => sum + l.current_conns, 0);
}
/** What the watcher was sent until now. */
async function wills(): Promise<string[]> {
  watcher.send({ cmd: "pingreq" });
  const seen: string[] = [];
  for (;;) {
    await until(() => watcher.inbox.length > 0, "the watcher is answered");
    const p = watcher.inbox.shift();
    if (p?.cmd === "publish") seen.push(p.payload.toString());
    else if (p?.cmd === "pingresp") return seen;
  }
}

/** Sends, and leaves in its way. */
interface Leaver {
  send(bytes: Buffer): void;
  leave(): void;
}
function bySocket(port: number, secure: boolean, bytes: Buffer, abruptly: boolean): Leaver {
  const at = { host: "127.0.0.1", port };
  const begin = (): void => void socket.write(bytes);
  const socket = secure ? tlsConnect({ ...at, rejectUnauthorized: false }, begin) : tcpConnect(at, begin);
  socket.on("error", () => {});
  return { send: (more) => void socket.write(more), leave: () => void (abruptly && !secure ? socket.resetAndDestroy() : socket.end()) };
}
function byWebSocket(port: number, secure: boolean, bytes: Buffer, abruptly: boolean): Leaver {
  const options = { protocols: ["mqtt"], ...(secure && { tls: { rejectUnauthorized: false } }) };
  const ws = new WebSocket(`${secure ? "wss" : "ws"}://127.0.0.1:${port}/mqtt`, options as never);
  ws.onopen = () => void ws.send(Uint8Array.from(bytes));
  const send = (more: Buffer): void => void ws.send(Uint8Array.from(more));
  return { send, leave: () => (abruptly ? (ws as unknown as { terminate(): void }).terminate() : ws.close()) };
}

/** A client's first bytes by each kind of listener. */
const WAYS: Record<string, (bytes: Buffer, abruptly: boolean) => Leaver> = {
  tcp: (bytes, abruptly) => bySocket(kit.broker.ports.tcp, false, bytes, abruptly),
  ssl: (bytes, abruptly) => bySocket(kit.broker.ports.tls, true, bytes, abruptly),
  ws: (bytes, abruptly) => byWebSocket(kit.broker.ports.ws, false, bytes, abruptly),
  wss: (bytes, abruptly) => byWebSocket(kit.broker.ports.wss, true, bytes, abruptly),
};

describe("a client that leaves before its answer comes", () => {
  test("is gone at once, on every listener: nobody asks about it any more, nobody is let in, no will is published", async () => {
    const before = await server();
    const idle = await connections();
    const all = Object.values(WAYS).flatMap((way, w) =>
      Array.from({ length: EACH }, (_, i) => way(mqttPacket.generate(slow(`ghost-${w}-${i}`)), i % 2 === 0)),
    );
    const inLine = all.length - POOL;
    await until(async () => (await server()).waiting === inLine, "all of them wait");
    for (const c of all) c.leave();
    await until(async () => (await connections()) === idle, "all connections are gone");
    await release();
    expect((await server()).gone - before.gone).toBe(inLine);
    expect(await wills()).toEqual([]);
    const { data } = await kit.api<{ client_id: string }[]>("GET", "sessions");
    expect(data.filter((s) => s.client_id.startsWith("ghost"))).toEqual([]);
  });
});

describe("what a client has sent without waiting for its answer counts, although it has gone", () => {
  const connect = mqttPacket.generate(slow("hasty"));
  const rest = Buffer.concat([
    mqttPacket.generate({ cmd: "publish", topic: "wills", payload: "sent", qos: 0, dup: false, retain: false }),
    mqttPacket.generate({ cmd: "disconnect" }),
  ]);
  for (const [kind, way] of Object.entries(WAYS)) {
    for (const together of [true, false]) {
      test(`${kind}, ${together ? "with its CONNECT" : "behind it, and closed at once"}`, async () => {
        const c = way(together ? Buffer.concat([connect, rest]) : connect, false);
        await until(() => held.length === 1, "it is asked about");
        if (!together) c.send(rest);
        c.leave();
        await Bun.sleep(50);
        await release();
        expect((await watcher.next("publish")).payload.toString()).toBe("sent");
        expect(await wills()).toEqual([]);
      });
    }
  }
});

test("of two CONNECTs of one client id the later one stays, whichever is answered first", async () => {
  const older = await RawClient.open(kit.broker.ports.tcp, 5);
  older.send(slow("same", 5));
  await until(() => held.length === 1, "the older one is asked about");
  const newer = await kit.client("quick", "x", "same");
  await newer.subscribe("t");
  expect((await older.next("connack")).reasonCode).toBe(0x80);
  await older.whenClosed();
  await release();
  newer.publish("t", "alive");
  expect((await newer.next("publish")).payload.toString()).toBe("alive");
  expect(await wills()).toEqual([]);
  newer.drop();
});

test("a ban that is made while a CONNECT waits holds", async () => {
  const c = await RawClient.open(kit.broker.ports.tcp);
  c.send(slow("outlaw"));
  await until(() => held.length === 1, "it is asked about");
  expect(await kit.api("POST", "../../banned", { who: "outlaw", as: "client_id" })).toMatchObject({ code: 0 });
  await release();
  expect((await c.next("connack")).returnCode).toBe(5);
  await c.whenClosed();
});

test("a mountpoint from the service takes no wildcards from a name", async () => {
  mountpoint = "tenant/%c/";
  expect(await kit.code("quick", "x", "+")).toBe(2);
  const c = await kit.client("quick", "x", "own/%u");
  await c.subscribe("#");
  mountpoint = "";
  const outside = await kit.client("quick", "x", "outside");
  outside.publish("tenant/own/quick/x", "no", 1, 3);
  await outside.next("puback");
  outside.publish("tenant/own/%u/x", "yes", 1, 4);
  expect((await c.next("publish")).payload.toString()).toBe("yes");
  for (const client of [c, outside]) client.drop();
});
