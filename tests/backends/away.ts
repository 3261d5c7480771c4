/** What holds for every server that a plugin asks, when it is killed, frozen, started again, or nobody wants to ask it any more. */
import { describe, expect, test } from "bun:test";
import type { AuthKit } from "../support/auth_kit.ts";
import { until } from "../support/clients.ts";
import { herd } from "../support/herd.ts";
import type { Server } from "../support/servers.ts";
import { LongLine } from "../support/sockets.ts";

/** One who gets in with this password and not with another, and is asked about at the server. */
interface Known {
  username: string;
  password: string;
}

const median = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;

/** While answers come slowly. */
async function allAreAnswered(kit: AuthKit, { username, password }: Known): Promise<void> {
  await kit.isUp();
  const other = await kit.client(null, null, "other");
  const asked = Promise.all(Array.from({ length: 50 }, (_, i) => kit.code(username, i % 2 === 0 ? password : "not this one")));
  let waiting = true;
  void asked.finally(() => (waiting = false));
  const pings: number[] = [];
  while (waiting) {
    const t0 = performance.now();
    await other.ping();
    pings.push(performance.now() - t0);
    await Bun.sleep(10);
  }
  expect(await asked).toEqual(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? 0 : 5)));
  expect(pings.length).toBeGreaterThan(10);
  expect(median(pings)).toBeLessThan(100);
  other.drop();
}

const SLOWLY = "all who come at once are answered rightly, and nobody else waits";

/** `settings`: with which an answer takes a while, from `begin` on. */
export function whenSlow(kit: AuthKit, known: Known, settings: Record<string, string>, begin: () => void): void {
  test(`slow: ${SLOWLY}`, async () => {
    begin();
    await kit.withSettings(settings, () => allAreAnswered(kit, known));
  });
}

/** Ms. */
const ON_ITS_WAY = 500;

/**
 * `settings`: those that lead to a port of this machine; behind it is the server, and a long way. `ms`: how long; less where the driver makes connections,
 * which takes several ways, one after the other.
 */
export function whenFar(
  kit: AuthKit,
  server: () => Server,
  known: Known,
  settings: (port: number) => Record<string, string>,
  ms = ON_ITS_WAY,
): void {
  test(`answers are long on their way: ${SLOWLY}`, async () => {
    const line = new LongLine(server().port, ms);
    await line.start();
    try {
      await kit.withSettings({ ...kit.secrets, ...settings(line.port), timeout: "20s" }, async () => {
        await allAreAnswered(kit, known);
        // Figures are kept by address: those of this way alone.
        const { p50 = 0, timeouts = 0, failed = 0 } = (await kit.status()).servers[0] ?? {};
        expect(p50).toBeGreaterThan(ms / 2);
        expect([timeouts, failed]).toEqual([0, 0]);
      });
    } finally {
      await line.stop();
    }
    await kit.isUp();
  });
}

interface Size {
  /** Clients that come back at once behind an outage. */
  many?: number;
  /** With `on_error = ignore`: EMQ X 3.1 refused log-ins all the same. */
  refusesAllTheSame?: boolean;
  /** Its driver hears of a connection's end while nobody asks. */
  hearsOfEnds?: boolean;
  /** Its driver looks for a server that has gone, or for one in its place, until the time of who asks is over. */
  looksOn?: boolean;
}

export function whenAway(
  kit: AuthKit,
  server: () => Server,
  { username, password }: Known,
  { many = 1000, refusesAllTheSame = false, hearsOfEnds = true, looksOn = false }: Size = {},
): void {
  const { put, status, withSettings, enter, client, code, alarmed, plugin } = kit;
  const good = (clientId?: string): Promise<number> => code(username, password, clientId);
  const bad = (): Promise<number> => code(username, "not this one");
  const times = (n: number, answer: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => answer(i));

  describe("the server is away", () => {
    test("killed: everybody is refused with 3 at once, none is let by; back again: none is wrongly refused", async () => {
      const kept = await client(username, password, "kept");
      await server().kill();
      const took: number[] = [];
      for (let i = 0; i < 31; i++) {
        const t0 = performance.now();
        expect(i < 30 ? await good() : await code("unknown", "x")).toBe(3);
        took.push(performance.now() - t0);
      }
      // Whose time limit is a second at least: nobody waits for a server that is known to be away.
      expect(took.toSorted((a, b) => a - b)[15]).toBeLessThan(250);
      await until(async () => (await status()).servers[0]?.state === "down", "it is told as down");
      expect(await alarmed()).toBe(true);
      await kept.ping();
      await server().start();
      await until(async () => (await good()) === 0, "it is back");
      expect(await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? good() : bad())))).toEqual(
        times(50, (i) => (i % 2 === 0 ? 0 : 5)),
      );
      await until(async () => !(await alarmed()), "the alarm is cleared");
      kept.drop();
    });

    test("killed while 50 log-ins are under way: each is answered, and none let by; back again: none is wrongly refused", async () => {
      const fifty = (): Promise<number[]> => Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? good() : bad())));
      await withSettings({ timeout: looksOn ? "2s" : "20s" }, async () => {
        await kit.isUp();
        const { timeouts = 0 } = (await status()).servers[0] ?? {};
        await server().freeze();
        const asked = fifty();
        await until(async () => {
          const { running = 0, waiting = 0 } = (await status()).servers[0] ?? {};
          return running + waiting === 50;
        }, "all of them are under way");
        await server().kill();
        expect(await asked).toEqual(times(50, () => 3));
        // Nobody had to wait until his time was over.
        if (!looksOn) expect((await status()).servers[0]?.timeouts).toBe(timeouts);
        await server().start();
        await until(async () => (await good()) === 0, "it is back");
        expect(await fifty()).toEqual(times(50, (i) => (i % 2 === 0 ? 0 : 5)));
      });
      await kit.isUp();
    });

    for (const how of hearsOfEnds ? (["kill", "stop"] as const) : [])
      test(`while nobody asks, by ${how}: that is told at once`, async () => {
        await kit.isUp();
        expect(await good()).toBe(0);
        await server()[how]();
        const t0 = performance.now();
        await until(alarmed, "it is told as down");
        // The next probe would have come ten seconds behind the last answer.
        expect(performance.now() - t0).toBeLessThan(5000);
        expect((await status()).servers[0]?.state).toBe("down");
        await server().start();
        await until(async () => !(await alarmed()), "the alarm is cleared");
      });

    test("settings change while it is away: one alarm from its beginning to its end, and no word of its being back", async () => {
      // Whichever back end had told it as down.
      const said = (): number => kit.broker.log.split(/server is back|server answers with its new settings/).length - 1;
      const raisedAt = async (): Promise<number | undefined> => (await kit.alarm())?.raised_at_ms;
      await kit.isUp();
      await server().kill();
      await until(async () => (await good()) === 3 && (await alarmed()), "it is told as down");
      const before = { raised: await raisedAt(), past: await kit.pastAlarms(), said: said() };
      await withSettings({ timeout: "4s" }, async () => {
        await until(async () => (await status()).servers[0]?.state === "down", "it is not there with these, either");
        expect([await raisedAt(), await kit.pastAlarms()]).toEqual([before.raised, before.past]);
      });
      expect([await raisedAt(), await kit.pastAlarms(), said()]).toEqual([before.raised, before.past, before.said]);
      await server().start();
      await until(async () => (await good()) === 0, "it is back");
      await until(async () => (await kit.pastAlarms()) === before.past + 1, "the alarm is past");
      await until(() => said() > before.said, "that is told");
      expect(said()).toBe(before.said + 1);
    });

    test("restarted while nobody asks: the connections that died meanwhile cost nobody an answer", async () => {
      expect(await Promise.all(Array.from({ length: 16 }, () => good()))).toEqual(times(16, () => 0));
      await server().kill();
      await server().start();
      await until(async () => (await good()) === 0, "it is back");
      expect(await Promise.all(Array.from({ length: 32 }, () => good()))).toEqual(times(32, () => 0));
    });

    test(`${many} clients come back at once: none is wrongly refused, all are in within a minute`, async () => {
      await server().kill();
      const gone = Promise.withResolvers<void>();
      const { codes, ...came } = herd(kit.broker.ports.tcp, many, username, password, gone.promise);
      try {
        await until(() => (codes.get(3) ?? 0) >= many / 2, "they are refused while it is away");
        expect([...codes.keys()]).toEqual([3]);
        const since = performance.now();
        await server().start();
        await came.all;
        expect(performance.now() - since).toBeLessThan(60_000);
        expect([codes.get(0), [...codes.keys()].sort()]).toEqual([many, [0, 3]]);
        // A question that was under way as it died counts for a while.
        await kit.isUp();
        expect((await status()).servers[0]).toMatchObject({ waiting: 0, running: 0 });
      } finally {
        gone.resolve();
      }
    });

    test("frozen: answered within the time limit, nobody else waits, and it recovers when it goes on", async () => {
      const other = await client(null, null, "other");
      await server().freeze();
      try {
        const asked = Array.from({ length: 200 }, () => good());
        let slowest = 0;
        for (let i = 0; i < 20; i++) {
          const t0 = performance.now();
          await other.ping();
          slowest = Math.max(slowest, performance.now() - t0);
          await Bun.sleep(20);
        }
        expect(new Set(await Promise.all(asked)).difference(new Set([3]))).toEqual(new Set());
        expect(slowest).toBeLessThan(1000);
      } finally {
        server().thaw();
      }
      await until(async () => (await good()) === 0, "it goes on");
      expect(await bad()).toBe(5);
      other.drop();
    });

    test(`on_error = ignore: as EMQ X 3.1, ${refusesAllTheSame ? "which refused" : "the next one is asked"}`, async () => {
      await withSettings({ on_error: "ignore", ...kit.nowhere, ...kit.secrets }, async () => {
        await until(async () => (await status()).servers[0]?.state === "down", "it is told as down");
        expect(await bad()).toBe(refusesAllTheSame ? 3 : 0);
      });
      await until(async () => (await good()) === 0, "it is back");
      expect(await bad()).toBe(5);
    });

    test("unloaded while log-ins wait: each is answered, nothing is left behind", async () => {
      await server().freeze();
      const asked = Array.from({ length: 1000 }, () => enter(username, password));
      await until(async () => ((await status())?.servers[0]?.running ?? 0) > 0, "calls are under way");
      await put(`plugins/${plugin}/unload`);
      const codes = (await Promise.all(asked)).map((c) => {
        if (typeof c === "number") return c;
        c.drop();
        return 0;
      });
      server().thaw();
      expect(codes.every((c) => c === 3 || c === 0)).toBe(true);
      await put(`plugins/${plugin}/load`);
      await until(async () => (await bad()) === 5, "it asks again");
    });
  });
}
