/** Password guesses whose checks take time: how many of them are asked about together, and who waits for what. */
import { describe, expect, test } from "bun:test";
import type { Guesses } from "../../../../server/core/access/guesses.ts";
import type { ClientInfo } from "../../../../server/core/types.ts";
import { guessing } from "../../../support/guessing.ts";

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
  const many = (n: number, of: (i: number) => ClientInfo): ClientInfo[] => Array.from({ length: n }, (_, i) => of(i));

  test("as many as may fail are checked at a time, the next ones wait for an outcome; each that is right lets two go on", async () => {
    const { guesses, from } = guessing();
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
    const { guesses, from } = guessing();
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
    const { guesses, from } = guessing();
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
    const { guesses, from } = guessing();
    const under = many(5, () => from("10.0.0.1", "joe", "dev"));
    for (const client of under) guesses.pending(client);
    const order: string[] = [];
    const enters = (name: string, username: string, clientId: string): void => {
      const client = from("10.0.0.1", username, clientId);
      const admitted = guesses.admit(client, never);
      expect(admitted).toBeInstanceOf(Promise);
      void (admitted as Promise<boolean>).then(() => {
        order.push(name);
        guesses.settled(client);
      });
    };
    enters("joe", "joe", "other");
    enters("both", "joe", "dev");
    enters("dev", "jim", "dev");
    enters("dev 2", "jane", "dev");
    await new Promise((done) => setImmediate(done));
    expect(order).toEqual([]);
    guesses.settled(under.pop() as ClientInfo);
    await new Promise((done) => setImmediate(done));
    expect(order.sort()).toEqual(["both", "dev", "dev 2", "joe"]);
    for (const client of under) guesses.settled(client);
    expect(guesses.size).toBe(0);
  });

  test("of one address, whatever the names, no more are checked at a time than may fail, and when nearly all did, the others are refused", async () => {
    const { guesses, clock, from } = guessing();
    const spray = many(1500, (i) => from("10.0.0.1", `u${i}`, `c${i}`));
    const { checked, refused, end } = attempts(guesses, spray);
    expect([checked.length, refused.length]).toEqual([50, 0]);
    await end(45, false);
    expect([checked.length, refused.length]).toEqual([5, 0]);
    await end(5, false);
    expect([checked.length, refused.length]).toEqual([0, 1450]);
    expect(guesses.admit(from("10.0.0.2", "u1", "c1"), never)).toBe(true);
    clock.forward(1000);
    expect(guesses.admit(from("10.0.0.1", "fresh", "f"), never)).toBe(true);
  });

  test("explain says of everybody what admit does: also of those for whom others' failures leave no place", () => {
    const { guesses, from, fail } = guessing();
    for (let i = 0; i < 46; i++) fail(from("10.0.0.1", `u${i}`, `c${i}`), 1);
    const others = many(4, (i) => from("10.0.0.1", `o${i}`, `o${i}`));
    const fresh = from("10.0.0.1", "fresh", "f");
    for (const client of others) {
      expect([guesses.refuses(fresh), guesses.admit(fresh, never)]).toEqual([false, true]);
      guesses.pending(client);
    }
    expect([guesses.refuses(fresh), guesses.admit(fresh, never)]).toEqual([true, false]);
    guesses.passed(fresh);
    expect(guesses.refuses(fresh)).toBe(false);
    guesses.settled(others[0] as ClientInfo);
    expect(guesses.refuses(from("10.0.0.1", "new", "n"))).toBe(false);
  });

  test("nobody waits for what leaks while slow checks go wrong one after the other", async () => {
    const { guesses, clock, from } = guessing();
    const spray = many(1500, (i) => from("10.0.0.1", `u${i}`, `c${i}`));
    const { checked, refused, end } = attempts(guesses, spray);
    let seconds = 0;
    for (; checked.length > 0; seconds++) {
      clock.forward(1000);
      await end(5, false);
    }
    // One of the 50 is forgotten in each second.
    const asked = 1500 - refused.length;
    expect([asked > 50, asked <= 50 + seconds, seconds < 20]).toEqual([true, true, true]);
    expect(guesses.size).toBeGreaterThan(0);
  });

  test("10,000 clients with names of their own behind one address come in when they are right, a wrong one among them or not", async () => {
    const { guesses, from, metrics } = guessing();
    const { checked, refused, end } = attempts(
      guesses,
      many(10_000, (i) => from("10.0.0.1", `u${i}`, `c${i}`)),
    );
    let rounds = 0;
    for (; checked.length > 0; rounds++) {
      expect(checked.length).toBeLessThanOrEqual(50 + 256);
      await end(checked.length - 1, true);
      await end(1, rounds % 10 !== 9);
    }
    expect([refused.length, metrics.authLimited, rounds < 60]).toEqual([0, 0, true]);
  });

  /** Guesses at one client id (5 may fail in 50 s) that are asked about in 1000 s, from a full count on: as many as go at a time. */
  const guessedAt = (everyMs: number, hasAccount: boolean): number => {
    const { guesses, clock, from, fail } = guessing();
    const own = () => from("10.6.6.6", "mallory", "dev");
    const enters = (client: ClientInfo): boolean => {
      const may = guesses.admit(client, never) === true;
      if (may) guesses.pending(client);
      else guesses.left(client);
      return may;
    };
    const ends = (client: ClientInfo, good: boolean): void => {
      if (good) guesses.passed(client);
      else guesses.failed(client);
      guesses.settled(client);
    };
    guesses.passed(own());
    fail(from("10.6.6.6", null, "dev"), 5);
    let asked = 0;
    for (let ms = 0; ms < 1_000_000; ms += everyMs) {
      clock.forward(everyMs);
      // One of its own stays under way, so that what the other ones were good for is not forgotten.
      const mine = hasAccount ? many(300, own).filter((client, i) => enters(client) && (i === 0 || void ends(client, true))) : [];
      const guess = many(300, () => from("10.6.6.6", null, "dev")).filter(enters);
      asked += guess.length;
      for (const client of guess) ends(client, false);
      for (const client of mine) ends(client, true);
    }
    return asked;
  };

  for (const [how, everyMs] of [
    ["in each part", 10_000],
    ["in each interval", 50_000],
  ] as const)
    test(`who logs in rightly, too, ${how}, guesses as often as is allowed in the long run, and 256 more once`, () => {
      expect(guessedAt(everyMs, false)).toBe(100);
      // One of the places is that of its own.
      expect(guessedAt(everyMs, true)).toBe(100 + 256 - 1);
    });

  test("who came in before is checked no more often together than others, but whatever others have failed", async () => {
    const { guesses, from, fail } = guessing();
    const device = () => from("10.0.0.1", "joe", "dev");
    for (let i = 0; i < 50; i++) fail(from("10.0.0.1", `u${i}`, `c${i}`), 1);
    guesses.passed(device());
    const { checked, refused, end } = attempts(guesses, many(1000, device));
    expect([checked.length, refused.length]).toEqual([5, 0]);
    await end(1, true);
    expect(checked).toHaveLength(6);
    // Its first wrong password makes it one of the others, and the address is refused.
    await end(1, false);
    expect([checked.length, refused.length]).toEqual([5, 994 - 1]);
    await end(5, false);
    expect(refused).toHaveLength(993);
  });

  test("who waits for one name while another one of its is free, or for its address, goes on in any order in which others end", async () => {
    const { guesses, from, metrics } = guessing();
    const names = (i: number) => from("10.0.0.1", `u${i % 20}`, `c${i % 7}`);
    const { checked, end } = attempts(guesses, many(2000, names));
    for (let round = 0; checked.length > 0; round++) {
      checked.sort((a, b) => ((a.username ?? "") < (b.username ?? "") === (round % 2 === 0) ? -1 : 1));
      await end(1 + (round % 3), true);
    }
    expect([guesses.size, metrics.authLimited]).toEqual([0, 0]);
  });

  test("who hangs up while it waits leaves room and places to others", async () => {
    const { guesses, from } = guessing();
    const under = many(5, (i) => from("10.0.0.1", "joe", `c${i}`));
    for (const client of under) guesses.pending(client);
    const gone = many(600, (i) => from("10.0.0.1", "joe", `gone${i}`));
    const waits = gone.map((c) => guesses.admit(c, never, 64 * 1024));
    expect(waits.map((w) => w instanceof Promise).lastIndexOf(true)).toBe(503);
    const last = from("10.0.0.1", "joe", "last");
    expect(guesses.admit(last, never, 64 * 1024)).toBe(false);
    for (const c of gone) guesses.left(c);
    expect(new Set(await Promise.all(waits))).toEqual(new Set([false]));
    const admitted = guesses.admit(last, never, 64 * 1024);
    guesses.settled(under[0] as ClientInfo);
    expect(await admitted).toBe(true);
    // Of who has a place at one name, and leaves while it waits for the other one, nothing stays.
    guesses.settled(last);
    for (const client of under) guesses.settled(client);
    const others = many(5, (i) => from("10.0.0.1", `u${i}`, "dev"));
    for (const client of others) guesses.pending(client);
    const half = from("10.0.0.1", "joe", "dev");
    const waiting = guesses.admit(half, never);
    guesses.left(half);
    expect(await waiting).toBe(false);
    for (const client of others) guesses.settled(client);
    expect(guesses.size).toBe(0);
  });

  test("who hangs up in the line behind the delay of its name leaves it, too", async () => {
    const { guesses, from, fail } = guessing();
    fail(from("10.6.6.6", "joe"), 5);
    let wake = (): void => {};
    const asleep = new Promise<void>((done) => {
      wake = done;
    });
    const slowed = from("10.0.0.1", "joe", "dev");
    const admitted = guesses.admit(slowed, () => asleep);
    for (let i = 0; i < 5; i++) guesses.pending(from("10.0.0.1", `u${i}`, "dev"));
    wake();
    await new Promise((done) => setImmediate(done));
    guesses.left(slowed);
    expect(await admitted).toBe(false);
  });

  test("nothing is left of checks that went well", () => {
    const { guesses, from } = guessing();
    const joe = from("10.0.0.1", "joe");
    guesses.pending(joe);
    guesses.settled(joe);
    expect(guesses.size).toBe(0);
  });

  test("who has no place gives none back: the limit is off in its zone, or was while its check began", () => {
    const { guesses, from, zone } = guessing();
    const under = many(50, (i) => from("10.0.0.1", `u${i}`, `c${i}`));
    for (const client of under) guesses.pending(client);
    const unlimited = { ...from("10.0.0.1", "ann", "other"), zone: { ...zone, authFailureLimit: null } };
    const limit = zone.authFailureLimit;
    zone.authFailureLimit = null;
    const early = from("10.0.0.1", "eve", "early");
    for (const client of [unlimited, early]) guesses.pending(client);
    zone.authFailureLimit = limit;
    for (const client of [unlimited, early]) guesses.settled(client);
    expect(guesses.admit(from("10.0.0.1", "last", "last"), never)).toBeInstanceOf(Promise);
  });

  test("what a client has it gives back once, also when the limit was switched off meanwhile", async () => {
    const { guesses, from, zone } = guessing();
    const under = many(50, (i) => from("10.0.0.1", `u${i}`, `c${i}`));
    for (const client of [...under, ...under]) guesses.pending(client);
    const first = under[0] as ClientInfo;
    for (let i = 0; i < 10; i++) guesses.settled(first);
    const next = from("10.0.0.1", "next", "next");
    expect(guesses.admit(next, never)).toBe(true);
    guesses.pending(next);
    const last = from("10.0.0.1", "last", "last");
    const admitted = guesses.admit(last, never);
    expect(admitted).toBeInstanceOf(Promise);
    zone.authFailureLimit = null;
    for (const client of [...under, next]) guesses.settled(client);
    expect(await admitted).toBe(true);
    guesses.settled(last);
    expect(guesses.size).toBe(0);
  });
});
