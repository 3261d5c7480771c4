/** Password guesses: who is refused, who waits, who is not touched by other people's failures. */
import { describe, expect, test } from "bun:test";
import { guessing } from "../../../support/guessing.ts";

describe("an address and a name", () => {
  test("after as many failures as are allowed that address is refused that name, and nobody else", () => {
    const { from, fail, admit, metrics } = guessing();
    fail(from("10.0.0.1", "joe"), 4);
    expect(admit(from("10.0.0.1", "joe"))).toBe(true);
    fail(from("10.0.0.1", "joe"), 1);
    expect(admit(from("10.0.0.1", "joe"))).toBe(false);
    expect(admit(from("10.0.0.1", "ann", "other"))).toBe(true);
    expect(metrics.authLimited).toBe(1);
  });

  test("the client id is a name too, with and without a user name", () => {
    const { from, fail, admit } = guessing();
    for (let i = 0; i < 5; i++) fail(from("10.0.0.1", `u${i}`, "dev1"), 1);
    expect(admit(from("10.0.0.1", "u9", "dev1"))).toBe(false);
    expect(admit(from("10.0.0.1", null, "dev1"))).toBe(false);
    expect(admit(from("10.0.0.1", null, "dev2"))).toBe(true);
  });

  test("it leaks: one more attempt per part of the interval, all of them after the whole", () => {
    const { clock, from, fail, admit } = guessing();
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
    const { from, fail, admit } = guessing();
    for (let i = 1; i <= 5; i++) fail(from(`2001:db8:0:1::${i}`, "joe"), 1);
    expect(admit(from("2001:db8:0:1:ffff::9", "joe"))).toBe(false);
    const neighbour = admit(from("2001:db8:0:2::1", "joe"));
    expect(neighbour).toBeInstanceOf(Promise);
    fail(from("10.0.0.7", "ann", "d"), 5);
    expect(admit(from("::ffff:10.0.0.7", "ann", "d"))).toBe(false);
  });

  test("of an address ten times as many leak as of a name: as many as it may fail in the interval", () => {
    const { clock, from, fail, admit } = guessing();
    for (let i = 0; i < 50; i++) fail(from("10.0.0.1", `u${i}`, `c${i}`), 1);
    expect(admit(from("10.0.0.1", "fresh", "f"))).toBe(false);
    clock.forward(999);
    expect(admit(from("10.0.0.1", "fresh", "f"))).toBe(false);
    clock.forward(1);
    expect(admit(from("10.0.0.1", "fresh", "f"))).toBe(true);
    // For an hour almost as many fail as may: nobody is in their way.
    for (let second = 0; second < 3600; second++) {
      clock.forward(1000);
      if (second % 10 > 0) fail(from("10.0.0.1", `stale${second}`, `s${second}`), 1);
    }
    expect(admit(from("10.0.0.1", "fresh", "f"))).toBe(true);
  });

  test("however many have failed together, the next one waits no longer than behind as many as may", () => {
    const { clock, from, fail, admit } = guessing();
    for (let i = 0; i < 10_000; i++) fail(from("10.0.0.1", `u${i}`, `c${i}`), 1);
    fail(from("10.0.0.2", "joe"), 300);
    expect([admit(from("10.0.0.1", "fresh", "f")), admit(from("10.0.0.2", "joe"))]).toEqual([false, false]);
    clock.forward(1000);
    expect(admit(from("10.0.0.1", "fresh", "f"))).toBe(true);
    clock.forward(9000);
    expect(admit(from("10.0.0.2", "joe"))).toBe(true);
  });

  test("off: nothing is counted", () => {
    const { zone, guesses, from, fail, admit } = guessing();
    zone.authFailureLimit = null;
    fail(from("10.0.0.1", "joe"), 1000);
    expect(admit(from("10.0.0.1", "joe"))).toBe(true);
    expect(guesses.size).toBe(0);
  });
});

describe("zones with other limits, and limits that change", () => {
  const lax = { count: 1000, intervalMs: 50_000 };

  test("what failed in a zone that allows more refuses nobody in a strict one, and the other way round", () => {
    const { zone, from, fail, admit } = guessing();
    const inLax = (username: string, clientId: string) => ({
      ...from("10.0.0.1", username, clientId),
      zone: { ...zone, authFailureLimit: lax },
    });
    fail(inLax("bad", "b"), 500);
    expect([admit(from("10.0.0.1", "other", "d")), admit(from("10.0.0.2", "bad", "b"))]).toEqual([true, true]);
    fail(from("10.0.0.1", "joe"), 5);
    expect([admit(from("10.0.0.1", "joe")), admit(inLax("joe", "c"))]).toEqual([false, true]);
  });

  test("zones with one limit count together, also when it is not the same object", () => {
    const { zone, from, fail, admit } = guessing();
    const other = { ...zone, name: "other", authFailureLimit: { count: 5, intervalMs: 50_000 } };
    fail({ ...from("10.0.0.1", "joe"), zone: other }, 5);
    expect(admit(from("10.0.0.1", "joe"))).toBe(false);
  });

  test("a limit that is lowered keeps nobody out for longer than its interval", () => {
    const { zone, from, fail, clock, guesses } = guessing();
    const strict = zone.authFailureLimit;
    zone.authFailureLimit = lax;
    fail(from("10.0.0.1", "joe"), 900);
    zone.authFailureLimit = strict;
    clock.forward(50_000);
    expect([guesses.refuses(from("10.0.0.1", "joe")), guesses.refuses(from("10.0.0.1", "ann", "d"))]).toEqual([false, false]);
  });

  test("a limit that is lowered while somebody guesses does not forget who came in from there before", () => {
    const { guesses, zone, from, fail, admit } = guessing();
    fail(from("10.0.0.1", "evil"), 1);
    guesses.passed(from("10.0.0.1", "joe", "d"));
    zone.authFailureLimit = { count: 2, intervalMs: 50_000 };
    for (let i = 0; i < 30; i++) fail(from("10.0.0.1", `r${i}`, `e${i}`), 1);
    expect([admit(from("10.0.0.1", "joe", "d")), admit(from("10.0.0.1", "other", "o"))]).toEqual([true, false]);
  });

  test("a check that goes wrong counts towards the limit with which it began: those that wait behind it hear of it", async () => {
    const { zone, from, guesses } = guessing();
    const under = Array.from({ length: 5 }, (_, i) => from("10.0.0.1", "joe", `c${i}`));
    for (const client of under) guesses.pending(client);
    const waits = guesses.admit(from("10.0.0.1", "joe", "late"), () => new Promise(() => {}));
    zone.authFailureLimit = lax;
    for (const client of under) {
      guesses.failed(client);
      guesses.settled(client);
    }
    expect(await waits).toBe(false);
  });
});

describe("others are not locked out", () => {
  test("guesses from one address do not keep the right client out at another; it waits a little", async () => {
    const { from, fail, admit, sleeps, metrics } = guessing();
    fail(from("10.6.6.6", "joe"), 50);
    const admitted = admit(from("10.0.0.1", "joe"));
    expect(admitted).toBeInstanceOf(Promise);
    expect(await admitted).toBe(true);
    expect(sleeps).toEqual([2000]);
    expect([metrics.authDelayed, metrics.authLimited]).toEqual([1, 0]);
  });

  test("who came in from there before does not even wait", () => {
    const { guesses, from, fail, admit } = guessing();
    guesses.passed(from("10.0.0.1", "joe"));
    fail(from("10.6.6.6", "joe"), 50);
    expect(admit(from("10.0.0.1", "joe"))).toBe(true);
  });

  test("an address that tries many names is refused all of them but those that came in from there before", () => {
    const { guesses, from, fail, admit } = guessing();
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

describe("bounds", () => {
  test("the table is bounded, and who goes on failing stays in it", () => {
    const { guesses, from, fail, admit } = guessing(100);
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

  test("long names that begin or end alike, as tokens of one issuer or paths do, are different ones", () => {
    const { from, fail, admit } = guessing();
    const name = (begin: string, end: string): string => `${begin}${"x".repeat(300)}${end}`;
    fail(from("10.0.0.1", name("a", "1"), name("c", "1")), 5);
    expect(admit(from("10.0.0.1", name("a", "1"), "other"))).toBe(false);
    expect([admit(from("10.0.0.1", name("a", "2"), name("c", "2"))), admit(from("10.0.0.1", name("b", "1"), name("d", "1")))]).toEqual([
      true,
      true,
    ]);
    // Elsewhere it waits for its own name alone.
    expect(admit(from("10.0.0.2", name("a", "2"), name("c", "2")))).toBe(true);
  });

  test("names of any length cost little, and only so many attempts wait at a time", async () => {
    const { guesses, from, fail } = guessing();
    const long = "n".repeat(60_000);
    fail(from("10.6.6.6", `${long}1${long}`, long), 5);
    expect(guesses.refuses(from("10.6.6.6", `${long}2${long}`, "x"))).toBe(true);
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

  test("on a name that is guessed at an address has no more attempts waiting than others have places left; who hangs up gives its place back", async () => {
    const { guesses, from, fail } = guessing();
    fail(from("10.6.6.6", "joe"), 5);
    const never = (): Promise<void> => new Promise(() => {});
    const waiting = Array.from({ length: 1000 }, (_, i) => from("10.6.6.7", "joe", `c${i}`));
    const admitted = waiting.map((c) => guesses.admit(c, never));
    expect(admitted.map((may) => may instanceof Promise).lastIndexOf(true)).toBe(499);
    expect(guesses.admit(from("10.0.0.1", "joe", "dev"), never)).toBeInstanceOf(Promise);
    expect(guesses.admit(from("10.6.6.7", "joe", "more"), never)).toBe(false);
    for (const c of waiting.slice(0, 10)) guesses.left(c);
    expect(await Promise.all(admitted.slice(0, 10))).toEqual(Array(10).fill(false));
    expect(guesses.admit(from("10.6.6.7", "joe", "more"), never)).toBeInstanceOf(Promise);
  });

  test("who waits for others' outcomes is bounded in bytes, half of them an address's; who is refused for it is not told to have failed", () => {
    const { guesses, from, log } = guessing();
    const never = (): Promise<void> => new Promise(() => {});
    for (let i = 0; i < 5; i++) guesses.pending(from("10.0.0.1", "joe", `c${i}`));
    for (let i = 0; i < 504; i++)
      expect([i, guesses.admit(from("10.0.0.1", "joe", `d${i}`), never, 64 * 1024) instanceof Promise]).toEqual([i, true]);
    expect(guesses.admit(from("10.0.0.1", "joe", "last"), never, 64 * 1024)).toBe(false);
    for (let i = 0; i < 5; i++) guesses.pending(from("10.0.0.2", "joe", `c${i}`));
    expect(guesses.admit(from("10.0.0.2", "joe", "other"), never, 64 * 1024)).toBeInstanceOf(Promise);
    expect(log.lines.map((l) => l.message)).toEqual(["too many authentications of the same address or name are under way: not asked"]);
  });

  test("it is told once in a while, without the password", () => {
    const { from, fail, admit, log, clock } = guessing();
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
