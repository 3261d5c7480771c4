/** One lane: which entries make a batch, what becomes of one that fails, when it is sent again, and that nothing of one key overtakes. */
import { describe, expect, test } from "bun:test";
import { PartError, SendError } from "../../../../server/plugins/_sink/types.ts";
import { type Item, World } from "./world.ts";

const names = (items: readonly Item[]): string => items.map(({ key, n }) => `${key}${n}`).join(" ");
const away = (afterMs = 0): Error => new SendError("away", "nobody listens there", afterMs);

describe("batches", () => {
  test("made smaller while one rests: the rest of it waits again, and nothing is lost", async () => {
    const w = new World({ lanes: 1, batchRows: 5 });
    for (let n = 1; n <= 6; n++) w.push("a", n);
    await w.turn();
    await w.answer(away());
    w.change({ batchRows: 2 });
    await w.turn();
    expect(w.requests.map((r) => names(r.batch.items))).toEqual(["a1 a2"]);
    await w.answerAll();
    expect(names(w.taken)).toBe("a1 a2 a3 a4 a5 a6");
    expect(w.report.queue).toMatchObject({ sent: 6, rows: 0, bytes: 0 });
  });

  /** The service's verdict on a batch, by one of its items. */
  const refusing = (poison: readonly number[], err: () => Error) => (items: readonly Item[]) =>
    items.some(({ n }) => poison.includes(n)) ? err() : undefined;
  const never = (): Error => new SendError("give up", "http 400");
  const no = (): Error => new SendError("retry", "http 500");
  const refused: readonly [name: string, err: () => Error, poison: number[]][] = [
    ["never taken", never, [37]],
    ["never taken, several of them", never, [1, 50, 51, 100]],
    ["may be its own fault", no, [37]],
  ];
  for (const [name, err, poison] of refused)
    test(`one refused with all others: ${name}: it is found, and all others arrive, in order`, async () => {
      const w = new World({ lanes: 1, batchRows: 100, retries: 2 });
      const verdict = refusing(poison, err);
      for (let n = 1; n <= 250; n++) w.push("a", n);
      let asked = 0;
      for (let i = 0; i < 3000 && w.report.waiting > 0; i++) {
        await w.turn();
        for (const r of [...w.requests]) {
          asked++;
          r.answer(verdict(r.batch.items));
        }
        if (w.requests.length === 0) await w.pass(100);
      }
      expect(w.letters.reverse()).toEqual(poison.map((n) => `a${n}`));
      expect(w.taken.map((i) => i.n)).toEqual(Array.from({ length: 250 }, (_, i) => i + 1).filter((n) => !poison.includes(n)));
      expect(asked).toBeLessThan(30 * poison.length + 30);
    });

  test("of several that were refused each letter has its own reason", async () => {
    const w = new World({ lanes: 1, batchRows: 4 });
    for (let n = 1; n <= 4; n++) w.push("a", n);
    await w.turn();
    await w.answer(new PartError(new Map([0, 1, 3].map((i) => [i, new SendError("give up", i < 3 ? `too long: ${i}` : "no such topic")]))));
    expect(w.sink.deadLetters.list().map(({ body, why }) => `${body} ${why}`)).toEqual([
      "a4 no such topic",
      "a2 too long: 1",
      "a1 too long: 0",
    ]);
    expect(w.report).toMatchObject({ refused: 1, queue: { sent: 1, gaveUp: 3, rows: 0, bytes: 0 } });
  });
});

describe("when it is sent again", () => {
  const of = (w: World, key: string) => w.requests.filter((r) => r.batch.items[0]?.key === key);

  test("others that are taken do not shorten its rest", async () => {
    const w = new World({ lanes: 4, retries: 3 });
    w.push("a", 1);
    await w.turn();
    const began = w.clock.mono();
    for (let i = 1; w.letters.length === 0; i++) {
      for (const r of of(w, "a")) r.answer(new SendError("retry", "http 500"));
      await w.turn();
      w.push("b", i);
      await w.turn();
      for (const r of of(w, "b")) r.answer();
      await w.pass(100);
    }
    expect(w.clock.mono() - began).toBeGreaterThanOrEqual(7000);
    expect(w.report.calls).toBeGreaterThan(70);
  });

  test("one that was told a time keeps to it, whatever comes of others, and though the service is there again", async () => {
    const w = new World({ lanes: 4 });
    for (const key of ["a", "b", "c"]) w.push(key, 1);
    await w.turn();
    for (const r of of(w, "a")) r.answer(away(60_000));
    for (const r of of(w, "b")) r.answer(away());
    await w.turn();
    expect(w.report.state).toBe("down");
    for (const r of of(w, "c")) r.answer();
    await w.turn();
    expect(w.requests.map((r) => names(r.batch.items))).toEqual(["b1"]);
    await w.answerAll();
    await w.pass(59_000);
    expect(names(w.taken)).toBe("c1 b1");
    await w.pass(1000);
    await w.answerAll();
    expect(names(w.taken)).toBe("c1 b1 a1");
  });

  test("another service owes it no time", async () => {
    const w = new World({ lanes: 1 });
    w.push("a", 1);
    await w.turn();
    await w.answer(away(60_000));
    w.change({ batchRows: 2 });
    await w.turn();
    expect(w.requests.length).toBe(0);
    w.change({ what: "another one" });
    await w.turn();
    expect(w.requests.length).toBe(1);
  });

  /** Whatever has a negative number is what the service has no answer for but 500. */
  async function serve(w: World, ms: number, isOver: () => boolean): Promise<void> {
    for (let gone = 0; gone < ms && !isOver(); gone += 100) {
      for (const r of [...w.requests]) r.answer(r.batch.items.some((i) => i.n < 0) ? new SendError("retry", "http 500") : undefined);
      await w.pass(100);
    }
  }

  test("some in each lane that nobody takes: all others arrive, and those are given up", async () => {
    const w = new World({ lanes: 4 });
    for (let i = 1; i <= 20; i++) w.push(`bad${i}`, -i);
    for (let i = 1; i <= 200; i++) w.push(`good${i}`, i);
    await serve(w, 300_000, () => w.report.waiting === 0);
    expect([w.taken.length, w.letters.length, w.report.waiting]).toEqual([200, 20, 0]);
  });

  test("the same where all that waits is behind them", async () => {
    const w = new World({ lanes: 16 });
    for (const key of ["a", "b", "c"]) for (let n = -1; n <= 10; n++) if (n !== 0) w.push(key, n);
    await serve(w, 300_000, () => w.report.waiting === 0);
    expect([w.letters.length, w.report.waiting]).toEqual([3, 0]);
    for (const key of ["a", "b", "c"])
      expect(w.taken.filter((i) => i.key === key).map((i) => i.n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe("which lane", () => {
  test("as many keys in each", async () => {
    const w = new World({ lanes: 16 });
    for (let n = 1; n <= 2; n++) for (let i = 0; i < 64; i++) w.push(`client${i}`, n);
    let rounds = 0;
    for (await w.turn(); w.requests.length > 0; rounds++) {
      for (const r of [...w.requests]) r.answer();
      await w.turn();
    }
    expect([w.taken.length, rounds]).toEqual([128, 8]);
  });

  test("a key that comes again goes where nobody is in its way, one that is still there stays", async () => {
    const w = new World({ lanes: 2 });
    for (let n = 1; n <= 50; n++) w.push("busy", n);
    w.push("a", 1);
    await w.turn();
    w.push("a", 2);
    await w.turn();
    expect(w.requests.map((r) => names(r.batch.items))).toEqual(["busy1", "a1"]);
    await w.answer();
    for (const r of w.requests.filter((x) => x.batch.items[0]?.key === "a")) r.answer();
    await w.turn();
    expect(w.requests.map((r) => names(r.batch.items))).toEqual(["busy2", "a2"]);
    for (const r of w.requests.filter((x) => x.batch.items[0]?.key === "a")) r.answer();
    w.push("b", 1);
    w.push("a", 3);
    await w.turn();
    expect(w.requests.map((r) => names(r.batch.items))).toEqual(["busy2", "b1"]);
  });

  test("where one rests others are not sent to it", async () => {
    const w = new World({ lanes: 2, retries: 10 });
    w.push("a", 1);
    await w.turn();
    await w.answer(new SendError("retry", "http 500"));
    for (let n = 1; n <= 5; n++) w.push(`c${n}`, n);
    await w.answerAll();
    expect(names(w.taken)).toBe("c11 c22 c33 c44 c55");
  });
});
