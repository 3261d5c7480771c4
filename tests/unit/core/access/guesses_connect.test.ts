/** Password guesses at CONNECT: what clients hear, and who is asked. */
import { describe, expect, test } from "bun:test";
import type { IConnectPacket } from "mqtt-packet";
import { type TestClient, TestKit } from "../../../support/test_broker.ts";

describe("at CONNECT", () => {
  const kitWith = (answer: "sync" | "async" = "sync") => {
    const kit = new TestKit({ zone: { authFailureLimit: { count: 5, intervalMs: 50_000 } } });
    let asked = 0;
    kit.hooks.add("client.authenticate", "accounts", (_, { password }) => {
      asked++;
      const good = password !== null && Buffer.from(password).toString() === "right";
      const step = good ? ({ allow: true } as const) : ({ allow: false, code: 0x86, why: "wrong" } as const);
      return answer === "sync" ? step : Promise.resolve(step);
    });
    const connack = (version: 3 | 4 | 5, password: string | null, ip: string, more: Partial<IConnectPacket> = {}) => {
      const c = kit
        .client(version, ip)
        .connect("dev", { username: "joe", ...more, ...(password !== null && { password: Buffer.from(password) }) });
      return { client: c, code: () => codeOf(c.take()) };
    };
    return { kit, connack, asked: () => asked };
  };
  const codeOf = (packets: readonly { cmd: string; returnCode?: number; reasonCode?: number }[]): number | null => {
    const p = packets.find((x) => x.cmd === "connack");
    return p === undefined ? null : (p.reasonCode ?? p.returnCode ?? -1);
  };

  for (const [version, wrong, limited, reason] of [
    [3, 4, 3, "server_unavaliable"],
    [4, 4, 3, "server_unavaliable"],
    [5, 0x86, 0x9f, "connection_rate_exceeded"],
  ] as const) {
    test(`MQTT ${version}: the sixth guess is refused before anybody is asked, the right password too`, () => {
      const { kit, connack, asked } = kitWith();
      for (let i = 0; i < 5; i++) expect(connack(version, `guess${i}`, "10.6.6.6").code()).toBe(wrong);
      expect(connack(version, "guess5", "10.6.6.6").code()).toBe(limited);
      expect(connack(version, "right", "10.6.6.6").code()).toBe(limited);
      expect(asked()).toBe(5);
      expect(kit.metrics.extra()).toMatchObject({ "access/auth/failure": 5, "access/auth/limited": 2 });
      expect(kit.listener.shutdowns.get(reason)).toBe(2);
      kit.pass(10_000);
      expect(connack(version, "right", "10.6.6.6").code()).toBe(0);
      expect(kit.log.errors).toEqual([]);
    });
  }

  test("the right client at another address comes in after a short wait, and the next time at once", async () => {
    const { kit, connack } = kitWith();
    for (let i = 0; i < 9; i++) connack(4, `guess${i}`, "10.6.6.6");
    const c = connack(4, "right", "10.0.0.1");
    expect(c.code()).toBeNull();
    kit.pass(2100);
    await Promise.resolve();
    await new Promise((done) => setImmediate(done));
    kit.settle();
    expect(c.code()).toBe(0);
    for (let i = 0; i < 9; i++) connack(4, `guess${i}`, "10.6.6.6");
    expect(connack(4, "right", "10.0.0.1").code()).toBe(0);
  });

  test("a name is guessed at, and a thousand attempts on it have hung up: the right client waits no longer than without them", async () => {
    const { kit, connack } = kitWith();
    for (let i = 0; i < 9; i++) connack(4, `guess${i}`, "10.6.6.6");
    for (let i = 0; i < 1000; i++) connack(4, "guess", "10.6.6.7").client.drop();
    const c = connack(4, "right", "10.0.0.1");
    expect([c.code(), kit.metrics.authLimited]).toEqual([null, 4]);
    kit.pass(2100);
    for (let i = 0; i < 3; i++) await new Promise((done) => setImmediate(done));
    kit.settle();
    expect(c.code()).toBe(0);
  });

  test("parallel guesses at a slow back end are counted before they are asked", async () => {
    const { connack, asked } = kitWith("async");
    for (let i = 0; i < 400; i++) connack(4, `guess${i}`, "10.6.6.6");
    for (let i = 0; i < 5; i++) await new Promise((done) => setImmediate(done));
    expect(asked()).toBe(5);
  });

  test("guesses of which some are answered at once are no more than may fail, too", async () => {
    const kit = new TestKit({ zone: { authFailureLimit: { count: 5, intervalMs: 50_000 } } });
    const slow: ((code: number) => void)[] = [];
    let wrong = 0;
    const no = (code: number) => ({ allow: false, code, why: "no" }) as const;
    kit.hooks.add("client.authenticate", "accounts", ({ clientId }) => {
      if (clientId.startsWith("slow")) return new Promise((done) => void slow.push((code) => done(no(code))));
      wrong++;
      return no(0x86);
    });
    const attempt = (id: string) => kit.client(4, "10.6.6.6").connect(id, { username: "joe", password: Buffer.from("guess") });
    for (let i = 0; i < 5; i++) attempt(`slow${i}`);
    for (let i = 0; i < 50; i++) attempt(`quick${i}`);
    expect(wrong).toBe(0);
    for (const [i, end] of slow.entries()) {
      // Of the first one nobody knows whether it was right.
      end(i === 0 ? 0x88 : 0x86);
      for (let k = 0; k < 5; k++) await new Promise((done) => setImmediate(done));
    }
    expect(wrong).toBe(1);
    kit.settle();
    expect(kit.metrics.authLimited).toBe(49);
  });

  test("and so are those of enhanced authentication", async () => {
    const kit = new TestKit({ zone: { authFailureLimit: { count: 5, intervalMs: 50_000 } } });
    const slow: (() => void)[] = [];
    kit.hooks.add("client.authenticate", "away", () => {
      return new Promise((done) => void slow.push(() => done({ allow: false, code: 0x88, why: "down" })));
    });
    let wrong = 0;
    kit.broker.authMethods.set("TEST", {
      name: "TEST",
      step: () => {
        wrong++;
        return { status: "failure", code: 0x87, why: "no" };
      },
    });
    for (let i = 0; i < 5; i++) kit.client(5, "10.6.6.6").connect(`slow${i}`, { username: "joe", password: Buffer.from("x") });
    const properties = { authenticationMethod: "TEST" };
    for (let i = 0; i < 50; i++) kit.client(5, "10.6.6.6").connect(`quick${i}`, { username: "joe", properties });
    for (const end of slow) {
      end();
      for (let k = 0; k < 5; k++) await new Promise((done) => setImmediate(done));
    }
    expect(wrong).toBe(5);
  });

  /** `steps`: packets of the client up to that which is looked at, for as long as `end` has not come. */
  const enhanced = (steps: 1 | 2) => {
    const kit = new TestKit({ zone: { authFailureLimit: { count: 5, intervalMs: 50_000 } } });
    const looks: ((good: boolean) => void)[] = [];
    kit.broker.authMethods.set("TEST", {
      name: "TEST",
      step: (_, data) => {
        if (data === null && steps === 2) return { status: "continue", data: null };
        return new Promise((done) => {
          looks.push((good) => done(good ? { status: "success", data: null } : { status: "failure", code: 0x87, why: "no" }));
        });
      },
    });
    const properties = { authenticationMethod: "TEST", authenticationData: Buffer.from("guess") };
    const auth = (c: TestClient, reasonCode: number) => c.send({ cmd: "auth", reasonCode, properties } as never);
    const clients = (n: number): TestClient[] => {
      const { authenticationMethod } = properties;
      const all = Array.from({ length: n }, () =>
        kit.client(5, "10.6.6.6").connect("dev", { username: "joe", properties: { authenticationMethod } }),
      );
      if (steps === 2) for (const c of all) auth(c, 0x18);
      return all;
    };
    const end = async (n: number, good: boolean): Promise<void> => {
      for (const look of looks.splice(0, n)) look(good);
      for (let k = 0; k < 5; k++) await new Promise((done) => setImmediate(done));
      kit.settle();
    };
    return { kit, looks, clients, auth, end };
  };

  for (const [where, steps] of [
    ["CONNECT", 1],
    ["a later AUTH", 2],
  ] as const)
    test(`enhanced authentication that takes time: of ${where} no more are looked at together than may fail`, async () => {
      const { kit, looks, clients, end } = enhanced(steps);
      clients(400);
      expect(looks).toHaveLength(5);
      await end(1, false);
      expect(looks).toHaveLength(4);
      await end(4, false);
      expect([looks.length, kit.metrics.authLimited]).toEqual([0, 395]);
      kit.pass(50_000);
      clients(6);
      expect(looks).toHaveLength(5);
      await end(5, false);
    });

  test("re-authentication waits in the same line; who does not go on with an exchange holds no place", async () => {
    const { kit, looks, clients, auth, end } = enhanced(1);
    const [first] = clients(1) as [TestClient];
    await end(1, true);
    expect(codeOf(first.take())).toBe(0);
    kit.broker.authMethods.set("IDLE", { name: "IDLE", step: () => ({ status: "continue", data: null }) });
    for (let i = 0; i < 50; i++)
      kit.client(5, "10.6.6.6").connect("idle", { username: "joe", properties: { authenticationMethod: "IDLE" } });
    for (let i = 0; i < 5; i++)
      kit.client(5, "10.6.6.6").connect(`other${i}`, { username: "joe", properties: { authenticationMethod: "TEST" } });
    expect(looks).toHaveLength(5);
    auth(first, 0x19);
    expect(looks).toHaveLength(5);
    await end(5, true);
    expect(looks).toHaveLength(1);
    await end(1, true);
    expect(first.take()).toMatchObject([{ cmd: "auth", reasonCode: 0 }]);
    expect(kit.broker.guesses.size).toBe(0);
  });

  test("many clients with one user name and the right password behind one address come in, however slow the back end is", async () => {
    const kit = new TestKit({ zone: { authFailureLimit: { count: 5, intervalMs: 50_000 } } });
    let answer: (() => void)[] = [];
    kit.hooks.add("client.authenticate", "slow", () => new Promise((done) => void answer.push(() => done({ allow: true }))));
    const options = { username: "joe", password: Buffer.from("right") };
    const clients = Array.from({ length: 3000 }, (_, i) => kit.client(4, "10.0.0.1").connect(`shared${i}`, options));
    let rounds = 0;
    for (; answer.length > 0; rounds++) {
      for (const one of answer.splice(0)) one();
      for (let i = 0; i < 5; i++) await new Promise((done) => setImmediate(done));
    }
    answer = [];
    kit.settle();
    expect(new Set(clients.map((c) => codeOf(c.take())))).toEqual(new Set([0]));
    expect([kit.metrics.authLimited, rounds < 30]).toEqual([0, true]);
  });

  test("who hangs up while it waits for others' outcomes is not asked about, whatever it has sent behind CONNECT; whose check runs is heard", async () => {
    const kit = new TestKit({ zone: { authFailureLimit: { count: 3, intervalMs: 50_000 } } });
    const ends: (() => void)[] = [];
    let asked = 0;
    kit.hooks.add("client.authenticate", "slow", () => {
      asked++;
      return new Promise((done) => void ends.push(() => done({ allow: true })));
    });
    const published: string[] = [];
    kit.hooks.add("message.publish", "seen", (message) => {
      if (!message.topic.startsWith("$SYS")) published.push(message.topic);
      return message;
    });
    const clients = Array.from({ length: 8 }, (_, i) => {
      const c = kit.client(4, "10.0.0.1").connect(`c${i}`, { username: "joe", password: Buffer.from("right") });
      return c.send({ cmd: "publish", topic: `t${i}`, payload: "x", qos: 0, dup: false, retain: false });
    });
    for (const c of clients) c.drop();
    expect(kit.broker.registry.connecting.size).toBe(3);
    for (let i = 0; i < 3; i++) {
      ends[i]?.();
      for (let k = 0; k < 5; k++) await new Promise((done) => setImmediate(done));
    }
    kit.settle();
    expect([asked, published, kit.broker.guesses.size]).toEqual([3, ["t0", "t1", "t2"], 0]);
    expect([kit.metrics.authLimited, kit.listener.shutdowns.get("closed")]).toEqual([0, 8]);
  });

  test("clients without a password, however many are under way, keep nobody waiting who shows one", async () => {
    const kit = new TestKit({ zone: { authFailureLimit: { count: 5, intervalMs: 50_000 } } });
    const asked: (string | null)[] = [];
    kit.hooks.add("client.authenticate", "slow", ({ username }) => {
      asked.push(username);
      return new Promise(() => {});
    });
    for (let i = 0; i < 60; i++) kit.client(4, "10.0.0.1").connect(`anonymous${i}`, { username: "nobody" });
    kit.client(4, "10.0.0.1").connect("dev", { username: "joe", password: Buffer.from("right") });
    expect(asked.at(-1)).toBe("joe");
    expect(kit.broker.guesses.size).toBe(3);
  });

  test("neither a client without a password nor a back end that is down counts", () => {
    const { kit, connack } = kitWith();
    for (let i = 0; i < 20; i++) expect(connack(5, null, "10.0.0.1").code()).toBe(0x86);
    kit.hooks.add(
      "client.authenticate",
      "down",
      () => {
        throw new Error("down");
      },
      1,
    );
    for (let i = 0; i < 20; i++) expect(connack(5, "right", "10.0.0.1").code()).toBe(0x88);
    kit.hooks.remove("client.authenticate", "down");
    expect(connack(5, "right", "10.0.0.1").code()).toBe(0);
    expect(kit.metrics.authLimited).toBe(0);
  });

  test("enhanced authentication counts too, whether the client waits for the answer or hangs up", async () => {
    const { kit } = kitWith();
    kit.broker.authMethods.set("TEST", { name: "TEST", step: () => Promise.resolve({ status: "failure", code: 0x87, why: "no" }) });
    const attempt = () => kit.client(5, "10.6.6.6").connect("dev", { properties: { authenticationMethod: "TEST" } });
    for (let i = 0; i < 5; i++) {
      const c = attempt();
      if (i % 2 === 1) c.drop();
      for (let k = 0; k < 3; k++) await new Promise((done) => setImmediate(done));
      kit.settle();
    }
    const [last] = attempt().take();
    expect(last).toMatchObject({ cmd: "connack", reasonCode: 0x9f });
  });
});
