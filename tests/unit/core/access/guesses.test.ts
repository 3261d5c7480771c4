/** Password guesses: who is refused, who waits, who is not touched by other people's failures. */
import { describe, expect, test } from "bun:test";
import type { IConnectPacket } from "mqtt-packet";
import { Guesses } from "../../../../server/core/access/guesses.ts";
import type { ClientInfo } from "../../../../server/core/types.ts";
import { Metrics } from "../../../../server/core/watch/metrics.ts";
import { aClient, FakeClock, recordingLog } from "../../../support/access.ts";
import { TestKit } from "../../../support/test_broker.ts";
import { testZone } from "../../../support/zone.ts";

function setUp(maxCounts?: number) {
  const clock = new FakeClock();
  const log = recordingLog();
  const metrics = new Metrics();
  const guesses = new Guesses(clock, log, metrics, maxCounts);
  const zone = testZone({ authFailureLimit: { count: 5, intervalMs: 50_000 } });
  const from = (ip: string, username: string | null, clientId = "c"): ClientInfo => aClient({ zone, ip, username, clientId });
  const sleeps: number[] = [];
  const sleep = (ms: number): Promise<void> => {
    sleeps.push(ms);
    return Promise.resolve();
  };
  const fail = (client: ClientInfo, times: number): void => {
    for (let i = 0; i < times; i++) guesses.failed(client);
  };
  return { clock, log, metrics, guesses, zone, from, sleeps, fail, admit: (c: ClientInfo) => guesses.admit(c, sleep) };
}

describe("an address and a name", () => {
  test("after as many failures as are allowed that address is refused that name, and nobody else", () => {
    const { from, fail, admit, metrics } = setUp();
    fail(from("10.0.0.1", "joe"), 4);
    expect(admit(from("10.0.0.1", "joe"))).toBe(true);
    fail(from("10.0.0.1", "joe"), 1);
    expect(admit(from("10.0.0.1", "joe"))).toBe(false);
    expect(admit(from("10.0.0.1", "ann", "other"))).toBe(true);
    expect(metrics.authLimited).toBe(1);
  });

  test("the client id is a name too, with and without a user name", () => {
    const { from, fail, admit } = setUp();
    for (let i = 0; i < 5; i++) fail(from("10.0.0.1", `u${i}`, "dev1"), 1);
    expect(admit(from("10.0.0.1", "u9", "dev1"))).toBe(false);
    expect(admit(from("10.0.0.1", null, "dev1"))).toBe(false);
    expect(admit(from("10.0.0.1", null, "dev2"))).toBe(true);
  });

  test("it leaks: one more attempt per part of the interval, all of them after the whole", () => {
    const { clock, from, fail, admit } = setUp();
    const joe = from("10.0.0.1", "joe");
    fail(joe, 5);
    clock.forward(9999);
    expect(admit(joe)).toBe(false);
    clock.forward(1);
    expect(admit(joe)).toBe(true);
    fail(joe, 1);
    expect(admit(joe)).toBe(false);
    clock.forward(50_000);
    fail(joe, 4);
    expect(admit(joe)).toBe(true);
  });

  test("the addresses of one IPv6 /64 are one address; mapped IPv4 is IPv4", () => {
    const { from, fail, admit } = setUp();
    for (let i = 1; i <= 5; i++) fail(from(`2001:db8:0:1::${i}`, "joe"), 1);
    expect(admit(from("2001:db8:0:1:ffff::9", "joe"))).toBe(false);
    const neighbour = admit(from("2001:db8:0:2::1", "joe"));
    expect(neighbour).toBeInstanceOf(Promise);
    fail(from("10.0.0.7", "ann", "d"), 5);
    expect(admit(from("::ffff:10.0.0.7", "ann", "d"))).toBe(false);
  });

  test("off: nothing is counted", () => {
    const { zone, guesses, from, fail, admit } = setUp();
    zone.authFailureLimit = null;
    fail(from("10.0.0.1", "joe"), 1000);
    expect(admit(from("10.0.0.1", "joe"))).toBe(true);
    expect(guesses.size).toBe(0);
  });
});

describe("others are not locked out", () => {
  test("guesses from one address do not keep the right client out at another; it waits a little", async () => {
    const { from, fail, admit, sleeps, metrics } = setUp();
    fail(from("10.6.6.6", "joe"), 50);
    const admitted = admit(from("10.0.0.1", "joe"));
    expect(admitted).toBeInstanceOf(Promise);
    expect(await admitted).toBe(true);
    expect(sleeps).toEqual([2000]);
    expect([metrics.authDelayed, metrics.authLimited]).toEqual([1, 0]);
  });

  test("who came in from there before does not even wait", () => {
    const { guesses, from, fail, admit } = setUp();
    guesses.passed(from("10.0.0.1", "joe"));
    fail(from("10.6.6.6", "joe"), 50);
    expect(admit(from("10.0.0.1", "joe"))).toBe(true);
  });

  test("an address that tries many names is refused all of them but those that came in from there before", () => {
    const { guesses, from, fail, admit } = setUp();
    guesses.passed(from("10.0.0.1", "good", "g"));
    for (let i = 0; i < 49; i++) fail(from("10.0.0.1", `u${i}`, `c${i}`), 1);
    expect(admit(from("10.0.0.1", "fresh", "f"))).toBe(true);
    fail(from("10.0.0.1", "u49", "c49"), 1);
    expect(admit(from("10.0.0.1", "fresh", "f"))).toBe(false);
    expect(admit(from("10.0.0.1", "good", "g"))).toBe(true);
    // Its first wrong password makes it one of the others.
    fail(from("10.0.0.1", "good", "g"), 1);
    expect(admit(from("10.0.0.1", "good", "g"))).toBe(false);
    expect(admit(from("10.0.0.2", "fresh", "f"))).toBe(true);
  });
});

describe("checks that take time", () => {
  /** Attempts of these clients, what came of those that were let by so far, and how many are being checked. */
  const attempts = (guesses: Guesses, clients: ClientInfo[]) => {
    const checked: ClientInfo[] = [];
    const refused: ClientInfo[] = [];
    for (const client of clients) {
      const admitted = guesses.admit(client, never, 100);
      const entered = (yes: boolean): void => {
        if (yes) guesses.pending(client);
        (yes ? checked : refused).push(client);
      };
      if (admitted instanceof Promise) void admitted.then(entered);
      else entered(admitted);
    }
    const end = async (n: number, good: boolean): Promise<void> => {
      for (const client of checked.splice(0, n)) {
        if (good) guesses.passed(client);
        else guesses.failed(client);
        guesses.settled(client);
      }
      await new Promise((done) => setImmediate(done));
    };
    return { checked, refused, end };
  };
  const never = (): Promise<void> => new Promise(() => {});

  test("as many as may fail are checked at a time, the next ones wait for an outcome; each that is right lets two go on", async () => {
    const { guesses, from } = setUp();
    const { checked, refused, end } = attempts(
      guesses,
      Array.from({ length: 2000 }, (_, i) => from("10.0.0.1", "joe", `c${i}`)),
    );
    expect(checked).toHaveLength(5);
    await end(1, true);
    expect(checked).toHaveLength(6);
    for (const at of [12, 24, 48, 96, 192, 261, 261]) {
      await end(checked.length, true);
      expect(checked).toHaveLength(at);
    }
    while (checked.length > 0) await end(checked.length, true);
    expect([refused.length, guesses.size]).toEqual([0, 0]);
  });

  test("each that is wrong lets none go on, and when all that may be were, the others are refused", async () => {
    const { guesses, from } = setUp();
    const { checked, refused, end } = attempts(
      guesses,
      Array.from({ length: 400 }, (_, i) => from("10.0.0.1", "joe", `c${i}`)),
    );
    for (const left of [4, 3, 2, 1]) {
      await end(1, false);
      expect([checked.length, refused.length]).toEqual([left, 0]);
    }
    await end(1, false);
    expect([checked.length, refused.length]).toEqual([0, 395]);
  });

  test("a wrong one behind many right ones makes it as many as in the beginning", async () => {
    const { guesses, from } = setUp();
    const { checked, end } = attempts(
      guesses,
      Array.from({ length: 400 }, (_, i) => from("10.0.0.1", "joe", `c${i}`)),
    );
    for (let i = 0; i < 4; i++) await end(checked.length, true);
    expect(checked).toHaveLength(80);
    await end(1, false);
    await end(76, true);
    // What may go on was counted anew from there: 4, and two for each that was right since.
    expect(checked.length).toBeLessThan(100);
    await end(checked.length, true);
    expect(checked.length).toBeGreaterThan(0);
  });

  test("who has left, or is answered at once, leaves its place to the next one, also of another line", async () => {
    const { guesses, from } = setUp();
    for (let i = 0; i < 5; i++) guesses.pending(from("10.0.0.1", "joe", "dev"));
    const order: string[] = [];
    const enters = (name: string, username: string, clientId: string): void => {
      const client = from("10.0.0.1", username, clientId);
      const admitted = guesses.admit(client, never);
      expect(admitted).toBeInstanceOf(Promise);
      void (admitted as Promise<boolean>).then(() => {
        order.push(name);
        guesses.released(client);
      });
    };
    enters("joe", "joe", "other");
    enters("both", "joe", "dev");
    enters("dev", "jim", "dev");
    enters("dev 2", "jane", "dev");
    await new Promise((done) => setImmediate(done));
    expect(order).toEqual([]);
    guesses.settled(from("10.0.0.1", "joe", "dev"));
    await new Promise((done) => setImmediate(done));
    expect(order.sort()).toEqual(["both", "dev", "dev 2", "joe"]);
    for (let i = 0; i < 4; i++) guesses.settled(from("10.0.0.1", "joe", "dev"));
    expect(guesses.size).toBe(0);
  });

  test("nothing is left of checks that went well", () => {
    const { guesses, from } = setUp();
    const joe = from("10.0.0.1", "joe");
    guesses.pending(joe);
    guesses.settled(joe);
    guesses.settled(joe);
    expect(guesses.size).toBe(0);
  });
});

describe("bounds", () => {
  test("the table is bounded, and who goes on failing stays in it", () => {
    const { guesses, from, fail, admit } = setUp(100);
    const guesser = from("10.6.6.6", "joe");
    fail(guesser, 5);
    for (let i = 0; i < 1000; i++) {
      if (i % 15 === 0) fail(guesser, 1);
      fail(from(`10.1.${i >> 8}.${i & 255}`, `u${i}`, `c${i}`), 1);
    }
    // Some go at once.
    expect(guesses.size).toBeLessThanOrEqual(100);
    expect(guesses.size).toBeGreaterThan(90);
    expect(admit(guesser)).toBe(false);
  });

  test("names of any length cost little, and only so many attempts wait at a time", async () => {
    const { guesses, from, fail } = setUp();
    const long = "n".repeat(60_000);
    fail(from("10.6.6.6", `${long}1`, long), 5);
    expect(guesses.refuses(from("10.6.6.6", `${long}2`, "x"))).toBe(true);
    let wake = (): void => {};
    const asleep = new Promise<void>((done) => {
      wake = done;
    });
    const waiting = Array.from({ length: 1000 }, (_, i) => guesses.admit(from(`10.2.${i >> 8}.${i & 255}`, long, `c${i}`), () => asleep));
    expect(waiting.every((w) => w instanceof Promise)).toBe(true);
    expect(guesses.admit(from("10.3.0.1", long, "late"), () => asleep)).toBe(false);
    wake();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([true]));
  });

  test("who waits for others' outcomes is bounded in bytes; who is refused for it is not told to have failed", () => {
    const { guesses, from, log } = setUp();
    const never = (): Promise<void> => new Promise(() => {});
    for (let i = 0; i < 5; i++) guesses.pending(from("10.0.0.1", "joe", `c${i}`));
    for (let i = 0; i < 1008; i++)
      expect([i, guesses.admit(from("10.0.0.1", "joe", `d${i}`), never, 64 * 1024) instanceof Promise]).toEqual([i, true]);
    expect(guesses.admit(from("10.0.0.1", "joe", "last"), never, 64 * 1024)).toBe(false);
    expect(log.lines.map((l) => l.message)).toEqual(["too many authentications of the same names are under way: not asked"]);
  });

  test("it is told once in a while, without the password", () => {
    const { from, fail, admit, log, clock } = setUp();
    fail(from("10.6.6.6", "joe"), 5);
    for (let i = 0; i < 100; i++) admit(from("10.6.6.6", "joe"));
    expect(log.lines).toEqual([
      {
        level: "warn",
        message: "too many failed authentications: not asked for a while",
        fields: { clientid: "c", username: "joe", ip: "10.6.6.6" },
      },
    ]);
    clock.forward(10_000);
    admit(from("10.6.6.6", "joe"));
    fail(from("10.6.6.6", "joe"), 9);
    admit(from("10.6.6.6", "joe"));
    expect(log.lines).toHaveLength(2);
  });
});

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

  test("parallel guesses at a slow back end are counted before they are asked", async () => {
    const { connack, asked } = kitWith("async");
    for (let i = 0; i < 400; i++) connack(4, `guess${i}`, "10.6.6.6");
    for (let i = 0; i < 5; i++) await new Promise((done) => setImmediate(done));
    expect(asked()).toBe(5);
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
