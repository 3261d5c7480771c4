/** A CONNECT that waits for its answer: who leaves meanwhile, who comes again meanwhile, who is banned meanwhile; and where a client is put. */
import { describe, expect, test } from "bun:test";
import type { AuthStep } from "../../../../server/core/types.ts";
import { type TestClient, TestKit, type TestKitOptions } from "../../../support/test_broker.ts";

const PASSWORD = { username: "slow", password: Buffer.from("x") };
const WILL = { will: { topic: "wills", payload: Buffer.from("dead"), qos: 0, retain: false } } as const;
const WELCOME: AuthStep = { allow: true };

interface Question {
  answer(step: AuthStep): void;
  wanted(): boolean;
}

/** A kit that asks somebody slow about whoever has a password. */
function asking(options: TestKitOptions = {}) {
  const kit = new TestKit(options);
  const questions: Question[] = [];
  kit.hooks.add("client.authenticate", "slow", (_, { wanted }) => {
    const { promise, resolve } = Promise.withResolvers<AuthStep>();
    questions.push({ answer: resolve, wanted: () => wanted?.() ?? true });
    return promise;
  });
  const answered = async (n: number, step = WELCOME): Promise<void> => {
    (questions[n] as Question).answer(step);
    await Bun.sleep(0);
    kit.settle();
  };
  return { kit, questions, answered };
}
const silent = (kit: TestKit): void => {
  expect(kit.log.errors).toEqual([]);
  expect([kit.broker.registry.connecting.size, kit.broker.openings.bytes, kit.broker.inputBytes]).toEqual([0, 0, 0]);
};

describe("a client that leaves while its CONNECT waits", () => {
  test("is read on, so that it is seen to leave: nobody is let in, no will is published, its question is not wanted", async () => {
    const { kit, questions, answered } = asking();
    const watcher = kit.connected("watcher").subscribe("wills");
    watcher.take();
    const c = kit.client().connect("c", { ...PASSWORD, ...WILL });
    expect([c.transport.paused, questions[0]?.wanted()]).toEqual([false, true]);
    c.drop();
    expect(questions[0]?.wanted()).toBe(false);
    await answered(0);
    expect([kit.broker.connections, kit.broker.sessions.has("c"), watcher.messages()]).toEqual([1, false, []]);
    silent(kit);
  });

  test("so is one whose will is looked at", async () => {
    const kit = new TestKit();
    let answer = (): void => {};
    kit.hooks.add("client.check_acl", "slow", () => new Promise((done) => (answer = () => done({ verdict: "allow" }))));
    const c = kit.client().connect("c", WILL);
    expect(c.transport.paused).toBe(false);
    c.drop();
    answer();
    await Bun.sleep(0);
    kit.settle();
    expect(kit.broker.connections).toBe(0);
    silent(kit);
  });

  test("who has sent something behind its CONNECT stands still, and what it sent is handled in order", async () => {
    const { kit, answered } = asking();
    const c = kit.client().connect("c", PASSWORD);
    expect([c.transport.paused, kit.broker.openings.bytes]).toEqual([false, 0]);
    c.raw([0xc0, 0]);
    expect([c.transport.paused, kit.broker.openings.bytes]).toEqual([true, 2]);
    c.subscribe("t").send({ cmd: "pingreq" });
    await answered(0);
    expect(c.transport.paused).toBe(false);
    expect(c.take().map((p) => p.cmd)).toEqual(["connack", "pingresp", "suback", "pingresp"]);
    silent(kit);
  });

  test("what it has sent behind its CONNECT counts, although it has gone: handled in order, then it is over", async () => {
    const { kit, answered } = asking();
    const listener = kit.connected("l").subscribe("#");
    const c = kit.client().connect("c", { ...PASSWORD, will: { topic: "will", payload: Buffer.from("x"), qos: 0, retain: false } });
    c.publish("t", "1").publish("t", "2").send({ cmd: "disconnect" }).drop();
    expect([listener.messages(), kit.broker.connections, kit.broker.openings.size]).toEqual([[], 1, 1]);
    await answered(0);
    expect(listener.messages().map((m) => m.payload)).toEqual(["1", "2"]);
    const lost = kit.client().connect("d", { ...PASSWORD, will: { topic: "will", payload: Buffer.from("w"), qos: 0, retain: false } });
    lost.publish("t", "3").drop();
    await answered(1);
    expect(listener.messages().map((m) => m.payload)).toEqual(["3", "w"]);
    expect([kit.broker.connections, kit.broker.openings.size, kit.broker.inputBytes]).toEqual([1, 0, 0]);
    silent(kit);
  });

  test("one that is refused, or sent away meanwhile, has sent it in vain", async () => {
    const { kit, answered } = asking();
    const listener = kit.connected("l").subscribe("#");
    kit.client().connect("c", PASSWORD).publish("t", "1").drop();
    await answered(0, { allow: false, code: 0x86, why: "wrong" });
    kit.client().connect("c", PASSWORD).publish("t", "2").drop();
    kit.client().connect("c", PASSWORD);
    await answered(2);
    await answered(1);
    expect([listener.messages(), kit.broker.connections, kit.broker.openings.size]).toEqual([[], 2, 0]);
    silent(kit);
  });

  test("a connected one that leaves while it waits for a verdict: what it has sent is judged", async () => {
    const kit = new TestKit();
    const listener = kit.connected("l").subscribe("#");
    const answers: (() => void)[] = [];
    kit.hooks.add("client.check_acl", "slow", () => new Promise((done) => answers.push(() => done({ verdict: "allow" }))));
    kit.connected("c").publish("t", "1").publish("u", "2").drop();
    expect([listener.messages(), kit.broker.connections]).toEqual([[], 2]);
    for (let i = 0; i < 2; i++) {
      answers[i]?.();
      await Bun.sleep(0);
      kit.settle();
    }
    expect([listener.messages().map((m) => m.payload), kit.broker.connections, answers.length]).toEqual([["1", "2"], 1, 2]);
  });

  test("a connected one that has left while verdicts do not come is over in half a minute, whatever of it waits", async () => {
    const kit = new TestKit({ zone: { publishLimit: { count: 1, intervalMs: 1000 } } });
    const listener = kit.connected("l").subscribe("#");
    const will = { topic: "will", payload: Buffer.from("w"), qos: 0, retain: false } as const;
    const c = kit.connected("c", 4, { keepalive: 60, will });
    const answers: (() => void)[] = [];
    kit.hooks.add("client.check_acl", "slow", () => new Promise((done) => answers.push(() => done({ verdict: "allow" }))));
    c.publish("t", "1");
    kit.pass(20_000);
    for (const n of ["2", "3", "4", "5"]) c.publish(`t/${n}`, n);
    c.drop();
    for (let i = 0; i < 3; i++) {
      kit.pass(9900);
      answers[i]?.();
      await Bun.sleep(0);
      kit.settle();
    }
    expect([listener.messages().map((m) => m.payload), kit.broker.connections]).toEqual([["1", "2", "3"], 2]);
    kit.pass(500);
    expect([listener.messages().map((m) => m.payload), kit.broker.connections, kit.broker.inputBytes]).toEqual([["w"], 1, 0]);
    expect([...kit.listener.shutdowns]).toEqual([["closed", 1]]);
    answers[3]?.();
    await Bun.sleep(0);
    kit.pass(60_000);
    expect(listener.messages()).toEqual([]);
    silent(kit);
  });

  test("a connected one that waits for a verdict is read on, so that it is seen to leave, until it has sent more than pings", async () => {
    const kit = new TestKit();
    let answer = (): void => {};
    kit.hooks.add("client.check_acl", "slow", () => new Promise((done) => (answer = () => done({ verdict: "allow" }))));
    const c = kit.connected("c", 4, { keepalive: 10 }).subscribe("t");
    for (let i = 0; i < 10; i++) {
      kit.pass(9000);
      c.send({ cmd: "pingreq" });
      expect(c.transport.paused).toBe(false);
    }
    c.publish("a", "x".repeat(5000));
    expect(c.transport.paused).toBe(true);
    answer();
    await Bun.sleep(0);
    answer();
    await Bun.sleep(0);
    kit.settle();
    const told = c.take().map((p) => p.cmd);
    expect([c.transport.paused, told]).toEqual([false, ["suback", ...Array(10).fill("pingresp")]]);
    c.subscribe("u").drop();
    kit.pass(31_000);
    expect(kit.broker.connections).toBe(0);
  });
});

describe("two CONNECTs of one client id [MQTT-3.1.4-3]", () => {
  const ways: [string, (older: TestClient) => void][] = [
    ["is there", () => {}],
    ["has left", (older) => older.drop()],
  ];
  for (const [name, leaves] of ways) {
    test(`the later one wins, whichever is answered first; the older one ${name}`, async () => {
      const { kit, questions, answered } = asking();
      const watcher = kit.connected("watcher", 5).subscribe("wills");
      watcher.take();
      const older = kit.client(5).connect("c", { ...PASSWORD, ...WILL, clean: true });
      leaves(older);
      const newer = kit.client(5).connect("c", { clean: false, properties: { sessionExpiryInterval: 100 } });
      expect(newer.take()).toMatchObject([{ cmd: "connack", reasonCode: 0 }]);
      newer.subscribe("t").take();
      expect(questions[0]?.wanted()).toBe(false);
      await answered(0);
      const session = kit.broker.sessions.get("c");
      expect([session?.channel === newer.channel, session?.expiry, session?.subscriptionCount]).toEqual([true, 100, 1]);
      kit.connected("p").publish("t", "for the living");
      expect(newer.messages()).toMatchObject([{ payload: "for the living" }]);
      expect([newer.transport.ended, older.transport.ended]).toEqual([false, name === "is there"]);
      expect([watcher.messages(), kit.metrics.sessionsTakenOver, kit.metrics.sessionsDiscarded]).toEqual([[], 0, 0]);
      silent(kit);
    });
  }

  test("what the older one hears: in 5.0 CONNACK 0x80 in words, in 3.x nothing; counted as a conflict", () => {
    const { kit } = asking();
    const [five, three] = [kit.client(5).connect("c", PASSWORD), kit.client(4).connect("c", PASSWORD)];
    kit.client(4).connect("c");
    expect(five.take()).toMatchObject([
      { cmd: "connack", reasonCode: 0x80, properties: { reasonString: expect.stringContaining("taken over") } },
    ]);
    expect(three.take()).toEqual([]);
    expect([five.transport.ended, three.transport.ended]).toEqual([true, true]);
    expect([...kit.listener.shutdowns]).toEqual([["conflict", 2]]);
    silent(kit);
  });

  test("also when the later one has gone again: what it left is as it left it", async () => {
    const { kit, answered } = asking();
    const older = kit.client(4).connect("c", PASSWORD);
    kit.client(4).connect("c", { clean: false }).subscribe("t", 1).drop();
    await answered(0);
    expect(older.transport.ended).toBe(true);
    const session = kit.broker.sessions.get("c");
    expect([kit.broker.connections, session?.channel, session?.subscriptionCount]).toEqual([0, null, 1]);
    silent(kit);
  });

  test("both wait: the older one answered first is let in, and gives way to the later one", async () => {
    const { kit, questions, answered } = asking();
    const older = kit.client(4).connect("c", PASSWORD);
    const newer = kit.client(4).connect("c", PASSWORD);
    await answered(0);
    expect([older.take(), questions[1]?.wanted()]).toMatchObject([[{ returnCode: 0 }], true]);
    await answered(1);
    expect([newer.take(), older.transport.ended, newer.transport.ended]).toMatchObject([[{ returnCode: 0 }], true, false]);
    silent(kit);
  });

  test("both wait: the later one answered first stays, and the third behind it is not touched", async () => {
    const { kit, answered } = asking();
    const [first, second, third] = [0, 1, 2].map(() => kit.client(4).connect("c", PASSWORD)) as [TestClient, TestClient, TestClient];
    await answered(1);
    expect([first, second, third].map((c) => c.transport.ended)).toEqual([true, false, false]);
    await answered(0);
    expect(second.take()).toMatchObject([{ returnCode: 0 }]);
    expect(second.transport.ended).toBe(false);
    await answered(2);
    expect([second.transport.ended, third.take()]).toMatchObject([true, [{ returnCode: 0 }]]);
    silent(kit);
  });

  test("a later one that is refused changes nothing", async () => {
    const { kit, answered } = asking();
    const older = kit.client(4).connect("c", PASSWORD);
    const newer = kit.client(4).connect("c", PASSWORD);
    await answered(1, { allow: false, code: 0x87, why: "no" });
    expect([newer.transport.ended, older.transport.ended]).toEqual([true, false]);
    await answered(0);
    expect(older.take()).toMatchObject([{ returnCode: 0 }]);
    silent(kit);
  });

  test("an exchange with AUTH that goes on is over too", () => {
    const kit = new TestKit();
    kit.broker.authMethods.set("TWO-STEP", {
      name: "TWO-STEP",
      step: (_, data) => (data === null ? { status: "continue", data: null } : { status: "success", data: null }),
    });
    const older = kit.client(5).connect("c", { properties: { authenticationMethod: "TWO-STEP" } });
    expect(older.take()).toMatchObject([{ cmd: "auth" }]);
    const newer = kit.client(5).connect("c");
    expect([older.transport.ended, newer.take()]).toMatchObject([true, [{ reasonCode: 0 }]]);
    silent(kit);
  });
});

describe("a ban that is made while a CONNECT waits", () => {
  const ban = { who: "c", as: "client_id", reason: null, desc: null, by: null, until: null } as const;
  test("holds: 0x8A in 5.0, 5 in 3.x; an older session and connection are left alone", async () => {
    const { kit, answered } = asking();
    const there = kit.connected("c", 4, { clean: false });
    const [five, three] = [kit.client(5).connect("c", PASSWORD), kit.client(4).connect("c", PASSWORD)];
    kit.banned.add(ban);
    await answered(0);
    await answered(1);
    expect([five.take(), three.take()]).toMatchObject([[{ reasonCode: 0x8a }], [{ returnCode: 5 }]]);
    expect([there.transport.ended, kit.metrics.bannedRefused]).toEqual([false, 2]);
    silent(kit);
  });

  test("not in a zone without bans, and not when it was taken back", async () => {
    const { kit, answered } = asking();
    const [a, b] = [kit.client().connect("c", PASSWORD), kit.client().connect("d", PASSWORD)];
    kit.banned.add(ban);
    kit.banned.remove("client_id", "c");
    await answered(0);
    kit.zone.enableBan = false;
    kit.banned.add({ ...ban, who: "d" });
    await answered(1);
    expect([a.take(), b.take()]).toMatchObject([[{ returnCode: 0 }], [{ returnCode: 0 }]]);
  });
});

describe("where a mountpoint puts a client", () => {
  /** As whom, and the code of 5.0 or the mountpoint. */
  function put(template: string, clientId: string, username: string | null, from: "zone" | "plugin"): number | string {
    const kit = new TestKit({ zone: { mountpoint: from === "zone" ? template : "elsewhere/" } });
    if (from === "plugin") kit.hooks.add("client.authenticate", "p", () => ({ allow: true, mountpoint: template }), 0, { anonymous: true });
    const c = kit.client(5).connect(clientId, username === null ? {} : { username, password: Buffer.from("x") });
    const [ack] = c.take() as unknown as [{ reasonCode: number }];
    expect(kit.log.errors).toEqual([]);
    expect(kit.broker.sessions.has(clientId)).toBe(ack.reasonCode === 0);
    return ack.reasonCode === 0 ? (c.channel.client?.mountpoint ?? "") : ack.reasonCode;
  }
  const rows: [template: string, clientId: string, username: string | null, found: number | string][] = [
    ["dev/%c/", "a", null, "dev/a/"],
    ["%u/%c/%u/", "a", "joe", "joe/a/joe/"],
    ["dev/%u/", "a", null, "dev//"],
    ["dev/%c/", "fleet/7", null, "dev/fleet/7/"],
    // What a name contains is not filled in again.
    ["dev/%c/", "%u", "joe", "dev/%u/"],
    ["dev/%u/%c/", "a", "%c", "dev/%c/a/"],
    ["dev/%c/", "$&", null, "dev/$&/"],
    ["dev/%c/", "+", null, 0x85],
    ["dev/%c/", "#", null, 0x85],
    ["dev/%c/", "a+b", null, 0x85],
    ["dev/%c/", "a/#", null, 0x85],
    ["dev/%u/", "a", "+", 0x87],
    ["dev/%u/", "a", "x/#", 0x87],
    // Not taken in: what they are called is their own affair.
    ["dev/", "+", "#", "dev/"],
    ["dev/%u/", "+", "joe", "dev/joe/"],
    // Itself a wildcard, or a share of everything.
    ["dev/+/", "a", null, 0x87],
    ["#", "a", null, 0x87],
    ["$share/g/", "a", null, 0x87],
    ["%c/", "$share", null, 0x87],
    ["%c/", "$share/g", null, 0x87],
    ["%u/", "a", "$queue", 0x87],
    ["%c/", "$SYS/brokers", null, 0x87],
    ["$%c/", "delayed", null, 0x87],
    ["%u%c/", "$SYS", null, 0x87],
    ["$dev/%c/", "a", null, "$dev/a/"],
  ];
  for (const [template, clientId, username, found] of rows) {
    test(`${template} of ${clientId}${username === null ? "" : ` (${username})`}: ${typeof found === "number" ? "refused" : found}`, () => {
      expect(put(template, clientId, username, "zone")).toBe(found);
      expect(put(template, clientId, username, "plugin")).toBe(found);
    });
  }

  test("topics that are too long with it are refused, wherever one may stand: nobody is sent what is no packet", () => {
    const kit = new TestKit({ zone: { mountpoint: "%c/%c/", maxClientidLen: 65_535, maxPacketSize: 0 } });
    const published: number[] = [];
    kit.hooks.add("message.publish", "seen", (m) => {
      if (!m.topic.startsWith("$SYS/")) published.push(m.topic.length);
      return m;
    });
    // 60,002 bytes with its mountpoint: 5,533 are left.
    const name = "x".repeat(30_000);
    const will = (length: number) => ({ will: { topic: "w".repeat(length), payload: Buffer.from("w"), qos: 0, retain: false } }) as const;
    expect(kit.client(5).connect(name, will(5534)).take()).toMatchObject([{ reasonCode: 0x90 }]);
    const c = kit.client(5).connect(name, will(5533));
    expect(c.take()).toMatchObject([{ reasonCode: 0 }]);
    expect(c.subscribe("f".repeat(5534)).subscribe("f".repeat(5533)).take()).toMatchObject([{ granted: [0x8f] }, { granted: [0] }]);
    expect(kit.broker.subscribe(name, "f".repeat(5534), { qos: 0, nl: false, rap: false, rh: 0, subId: 0 })).toBe(false);
    c.publish("t".repeat(5533), "fits", 1).publish("t".repeat(5534), "does not", 1);
    expect(c.take()).toMatchObject([{ cmd: "puback" }, { cmd: "disconnect", reasonCode: 0x90 }]);
    expect(published).toEqual([65_535, 65_535]);
    expect(kit.client(5).connect("y".repeat(32_767)).take()).toMatchObject([{ reasonCode: 0x87 }]);
    expect(kit.log.errors).toEqual([]);
  });

  test("what is said: 3.x hears 2 or 5, the log why", () => {
    const kit = new TestKit({ zone: { mountpoint: "dev/%c/" } });
    expect(kit.client(4).connect("+").take()).toMatchObject([{ returnCode: 2 }]);
    expect(kit.log.lines.at(-1)).toMatchObject({
      message: "connection refused",
      fields: { clientid: "+", why: expect.stringContaining("wildcard") },
    });
    kit.zone.mountpoint = "dev/%u/";
    expect(
      kit
        .client(4)
        .connect("a", { username: "+", password: Buffer.from("x") })
        .take(),
    ).toMatchObject([{ returnCode: 5 }]);
    // What the plugin or the configuration says is nobody's business.
    kit.zone.mountpoint = "hidden/+/";
    expect(kit.client(5).connect("a").take()).toMatchObject([{ reasonCode: 0x87, properties: { reasonString: "not authorized" } }]);
    expect(kit.log.lines.at(-1)?.fields?.why).toContain("hidden/+/");
  });

  test("nobody subscribes to what is everybody's", () => {
    const kit = new TestKit({ zone: { mountpoint: "dev/%c/" } });
    const thief = kit.client().connect("+");
    thief.take();
    thief.subscribe("#");
    kit.connected("a").publish("secret", "x");
    expect([thief.transport.ended, thief.take(), kit.broker.router.size]).toEqual([true, [], 0]);
  });
});
