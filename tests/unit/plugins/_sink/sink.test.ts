/** What a sink does with what it is given: each edge of a lane's states, bounds, retries, letters, the state of the other side, changes. */
import { describe, expect, test } from "bun:test";
import { PartError, SendError } from "../../../../server/plugins/_sink/types.ts";
import { away, type Item, World } from "./world.ts";

const names = (items: readonly Item[]): string => items.map(({ key, n }) => `${key}${n}`).join(" ");
const no = (): Error => new SendError("retry", "http 500");
const never = (): Error => new SendError("give up", "http 400");
const one = (w: World) => w.requests[0] as World["requests"][number];

describe("sending", () => {
  test("what has one key goes one after the other, what has another beside it", async () => {
    const w = new World({ lanes: 16 });
    for (let n = 1; n <= 3; n++) for (const key of ["a", "b"]) w.push(key, n);
    expect(w.requests.length).toBe(0);
    await w.turn();
    expect(w.requests.map((r) => names(r.batch.items)).sort()).toEqual(["a1", "b1"]);
    await w.answer();
    expect(w.requests.map((r) => names(r.batch.items)).sort()).toEqual(["a2", "b1"]);
    await w.answerAll();
    expect(names(w.taken.filter((i) => i.key === "a"))).toBe("a1 a2 a3");
    expect(w.report).toMatchObject({ state: "up", calls: 6, answered: 6, running: 0, waiting: 0, queue: { sent: 6, rows: 0, bytes: 0 } });
    expect(w.counts).toEqual({ done: 6, failed: 0, dropped: 0 });
  });

  const batches: readonly [name: string, settings: object, pushes: number, bytes: number, waits: number, sent: string[]][] = [
    ["rows", { batchRows: 3, batchWaitMs: 1000 }, 3, 10, 0, ["a1 a2 a3"]],
    ["fewer wait", { batchRows: 3, batchWaitMs: 1000 }, 2, 10, 0, []],
    ["until their time is over", { batchRows: 3, batchWaitMs: 1000 }, 2, 10, 1000, ["a1 a2"]],
    ["bytes", { batchRows: 100, batchBytes: 500, batchWaitMs: 1000 }, 3, 90, 0, ["a1 a2"]],
    ["one that is larger alone", { batchRows: 100, batchBytes: 50, batchWaitMs: 1000 }, 2, 900, 0, ["a1"]],
    ["without a wait what is there", { batchRows: 100 }, 3, 10, 0, ["a1 a2 a3"]],
  ];
  for (const [name, settings, pushes, bytes, waits, sent] of batches)
    test(`batches: ${name}`, async () => {
      const w = new World({ lanes: 1, ...settings });
      for (let n = 1; n <= pushes; n++) w.push("a", n, bytes);
      await w.turn();
      await w.pass(waits);
      expect(w.requests.map((r) => names(r.batch.items))).toEqual(sent);
    });

  test("a send that throws at once has failed as any other", async () => {
    const w = new World({ lanes: 1 });
    w.change({
      send: () => {
        throw new Error("no route");
      },
    });
    w.push("a", 1);
    await w.turn();
    expect(w.report).toMatchObject({ lastError: "no route", failed: 1, waiting: 1 });
  });
});

describe("failures", () => {
  test("a lane rests, longer each time, and sends the same again, in order", async () => {
    const w = new World({ lanes: 1, retries: 10 });
    w.push("a", 1);
    w.push("a", 2);
    const rests: number[] = [];
    for (let i = 0; i < 5; i++) {
      await w.turn();
      const request = one(w);
      expect([names(request.batch.items), request.batch.tries]).toEqual(["a1", i]);
      request.answer(away());
      await w.turn();
      rests.push(await w.untilRequest());
    }
    expect(rests).toEqual([1000, 2000, 4000, 8000, 8000]);
    await w.answerAll();
    expect(names(w.taken)).toBe("a1 a2");
    expect(w.report).toMatchObject({ failed: 5, retries: 5, answered: 2 });
  });

  test("by chance up to half of a rest is left out", async () => {
    const w = new World({ lanes: 1 });
    w.random = () => 0.999;
    w.push("a", 1);
    await w.turn();
    await w.answer(away());
    await w.pass(400);
    expect(w.requests.length).toBe(0);
    await w.pass(200);
    expect(w.requests.length).toBe(1);
  });

  test("Retry-After is kept to, within reason", async () => {
    const w = new World({ lanes: 1 });
    w.push("a", 1);
    await w.turn();
    await w.answer(new SendError("away", "http 503", 30_000));
    await w.pass(29_000);
    expect(w.requests.length).toBe(0);
    await w.pass(1500);
    expect(w.requests.length).toBe(1);
    await w.answer(new SendError("away", "http 503", 1e12));
    await w.pass(301_000);
    expect(w.requests.length).toBe(1);
  });

  test("what takes too long is ended, and what is said of it later is void", async () => {
    const w = new World({ lanes: 1, timeoutMs: 500 });
    w.push("a", 1);
    await w.turn();
    const late = one(w);
    await w.pass(500);
    expect(late.signal.aborted).toBe(true);
    expect(w.report).toMatchObject({ timeouts: 1, lastError: "it does not answer within 500 ms", running: 0, waiting: 1 });
    late.answer();
    await w.turn();
    expect(w.report).toMatchObject({ waiting: 1, queue: { sent: 0 } });
  });

  const fates: readonly [name: string, err: () => Error, tries: number, why: string][] = [
    ["never taken, at once", never, 1, "http 400"],
    ["may be its own fault, after so many tries", no, 4, "http 500"],
  ];
  for (const [name, err, tries, why] of fates)
    test(name, async () => {
      const w = new World({ lanes: 1, retries: 3 });
      w.push("a", 1);
      w.push("a", 2);
      for (let i = 0; i < tries; i++) {
        await w.turn();
        expect(names(one(w).batch.items)).toBe("a1");
        await w.answer(err());
        if (i + 1 < tries) await w.untilRequest();
      }
      expect(w.sink.deadLetters.list()).toMatchObject([{ id: 1, why, tries, body: "a1" }]);
      await w.answerAll();
      expect(names(w.taken)).toBe("a2");
      expect(w.counts).toEqual({ done: 1, failed: 1, dropped: 0 });
    });

  test("away: as long as it takes, until it is too old", async () => {
    const w = new World({ lanes: 1, retries: 0, maxAgeMs: 60_000 });
    w.push("a", 1);
    for (let i = 0; i < 900 && w.letters.length === 0; i++) {
      for (const r of [...w.requests]) r.answer(away());
      await w.pass(100);
    }
    expect(w.letters).toEqual(["a1"]);
    expect(w.report.queue).toMatchObject({ gaveUp: 1, rows: 0 });
  });

  test("while all fails hardly a try counts: a minute of http 500 costs one of eighty", async () => {
    const w = new World({ lanes: 16, retries: 3 });
    for (let n = 1; n <= 5; n++) for (const key of "abcdefghijklmnop") w.push(key, n);
    for (let i = 0; i < 600; i++) {
      await w.turn();
      for (const r of [...w.requests]) r.answer(no());
      await w.pass(100);
    }
    expect(w.report).toMatchObject({ state: "down", queue: { gaveUp: 1, rows: 79 } });
    await w.pass(8000);
    await w.answerAll();
    expect(w.report).toMatchObject({ state: "up", queue: { sent: 79, rows: 0 } });
    const [gone] = w.letters;
    for (const key of "abcdefghijklmnop") {
      const all = [1, 2, 3, 4, 5].map((n) => key + n).filter((name) => name !== gone);
      expect(names(w.taken.filter((i) => i.key === key))).toBe(all.join(" "));
    }
  });

  test("of a batch that was taken in part the rest is sent again, and what is given up is not", async () => {
    const w = new World({ lanes: 1, batchRows: 4 });
    for (let n = 1; n <= 4; n++) w.push("a", n);
    await w.turn();
    await w.answer(
      new PartError(
        new Map([
          [1, new SendError("retry", "busy")],
          [3, new SendError("give up", "too long")],
        ]),
      ),
    );
    await w.pass(1000);
    expect(names(one(w).batch.items)).toBe("a2");
    expect(w.letters).toEqual(["a4"]);
    await w.answerAll();
    expect(w.report.queue).toMatchObject({ sent: 3, gaveUp: 1, rows: 0, bytes: 0 });
  });
});

describe("the state of the other side", () => {
  test("connecting, up, degraded, down, up: an alarm and a line in the log each", async () => {
    const w = new World({ lanes: 1 });
    const state = (): string => w.report.state;
    expect(state()).toBe("connecting");
    w.push("a", 1);
    await w.answerAll();
    expect(state()).toBe("up");
    w.push("a", 2);
    for (let i = 1; i <= 5; i++) {
      await w.turn();
      await w.answer(away());
      expect([i, state()]).toEqual([i, i < 5 ? "degraded" : "down"]);
      await w.untilRequest();
    }
    expect(w.alarms.get("down")).toMatchObject({ title: "the service is down", summary: "nobody listens there" });
    expect(w.lines("warn")).toEqual(["server is down"]);
    await w.answerAll();
    expect([state(), w.alarms.size, w.lines("notice")]).toEqual(["up", 0, ["server is back"]]);
  });

  test("whoever was never there is down at once", async () => {
    const w = new World({ lanes: 1 });
    w.push("a", 1);
    await w.turn();
    await w.answer(away());
    expect([w.report.state, w.lines("warn")]).toEqual(["down", ["server cannot be reached"]]);
  });

  test("an item that nobody takes does not make it down", async () => {
    const w = new World({ lanes: 1, retries: 20 });
    w.push("a", 1);
    for (let i = 0; i < 21; i++) {
      await w.untilRequest();
      await w.answer(no());
    }
    expect(w.letters).toEqual(["a1"]);
    expect(w.alarms.size).toBe(0);
  });

  test("the first answer wakes all that rest", async () => {
    const w = new World({ lanes: 16, backoffMs: 60_000, backoffMostMs: 60_000, maxAgeMs: 1e9 });
    for (const key of "abcdefgh") w.push(key, 1);
    await w.turn();
    const n = w.requests.length;
    expect(n).toBeGreaterThan(2);
    for (const r of w.requests.slice(1)) r.answer(away());
    await w.turn();
    expect(w.requests.length).toBe(1);
    await w.answer();
    expect(w.requests.length).toBeGreaterThanOrEqual(n - 1);
  });
});

describe("bounds", () => {
  test("full: the oldest of the fullest lane goes, counted, with an alarm for a minute and a line a minute", async () => {
    const w = new World({ lanes: 2, rowsMax: 10 });
    for (let n = 1; n <= 8; n++) w.push("a", n);
    w.push("b", 1);
    w.push("b", 2);
    for (let n = 9; n <= 12; n++) w.push("a", n);
    expect(w.report.queue).toMatchObject({ rows: 10, dropped: 4 });
    expect(w.alarms.get("dropped")).toMatchObject({ severity: "warning" });
    expect(w.lines("warn")).toEqual(["the queue is full: messages are dropped"]);
    await w.answerAll();
    expect(names(w.taken.filter((i) => i.key === "a"))).toBe("a5 a6 a7 a8 a9 a10 a11 a12");
    expect(names(w.taken.filter((i) => i.key === "b"))).toBe("b1 b2");
    await w.pass(59_000);
    expect(w.alarms.has("dropped")).toBe(true);
    await w.pass(1000);
    expect(w.alarms.has("dropped")).toBe(false);
    expect(w.counts.dropped).toBe(4);
  });

  test("bytes; what is larger than all of it is dropped and costs nobody his place", async () => {
    const w = new World({ lanes: 1, bytesMax: 1000 });
    w.push("a", 1, 200);
    w.push("a", 2, 200);
    w.push("a", 3, 5000);
    expect(w.report.queue).toMatchObject({ rows: 2, dropped: 1 });
    w.push("a", 4, 500);
    expect(w.report.queue).toMatchObject({ rows: 1, dropped: 3 });
    expect(w.report.queue.bytes).toBeLessThanOrEqual(1000);
  });

  test("what is under way is not dropped", async () => {
    const w = new World({ lanes: 1, rowsMax: 1 });
    w.push("a", 1);
    await w.turn();
    w.push("a", 2);
    expect(w.report.queue).toMatchObject({ rows: 1, dropped: 1 });
    await w.answerAll();
    expect(names(w.taken)).toBe("a1");
  });

  test("while memory is short what comes takes the place of what is there", () => {
    const w = new World({ lanes: 1 });
    for (let n = 1; n <= 5; n++) w.push("a", n, 100_000);
    w.memoryShort = true;
    for (let n = 6; n <= 8; n++) w.push("a", n, 100_000);
    expect(w.report.queue).toMatchObject({ rows: 5, dropped: 3 });
  });

  test("while memory is short what is sent at once is not dropped", async () => {
    const w = new World({ lanes: 2 });
    w.memoryShort = true;
    for (let n = 1; n <= 3; n++) {
      for (const key of ["a", "b", "c"]) w.push(key, n);
      await w.answerAll();
    }
    expect(w.counts).toEqual({ done: 9, failed: 0, dropped: 0 });
  });
});

describe("dead letters", () => {
  const given = async (count: number, settings = {}): Promise<World> => {
    const w = new World({ lanes: 1, ...settings });
    for (let n = 1; n <= count; n++) w.push("a", n);
    await w.answerAll(never);
    return w;
  };

  test("newest first, resent, removed", async () => {
    const w = await given(4);
    expect(w.letters).toEqual(["a4", "a3", "a2", "a1"]);
    expect(w.sink.deadLetters.resend([2, 99, 2])).toBe(1);
    expect(w.sink.deadLetters.remove([1])).toBe(1);
    expect(w.letters).toEqual(["a4", "a3"]);
    expect(w.sink.deadLetters.resend()).toBe(2);
    await w.answerAll();
    expect(names(w.taken)).toBe("a2 a3 a4");
    expect([w.letters, w.report.queue.letters]).toEqual([[], 0]);
  });

  test("resent as far as there is room: what waits already is not pushed out, and the rest stays", async () => {
    const w = await given(4, { rowsMax: 6 });
    for (let n = 5; n <= 8; n++) w.push("a", n);
    expect(w.sink.deadLetters.resend()).toBe(2);
    expect([w.letters, w.sink.deadLetters.count, w.report.waiting]).toEqual([["a4", "a3"], 2, 6]);
    await w.answerAll();
    expect(names(w.taken)).toBe("a5 a6 a7 a8 a1 a2");
    expect(w.counts.dropped).toBe(0);
  });

  test("resent as far as there is room on the disk", async () => {
    const w = new World({ lanes: 1, diskMax: 20_000 });
    await w.turn();
    for (let n = 1; n <= 4; n++) w.push("a", n, 100, 4000);
    await w.answerAll(never);
    await w.turn();
    for (let n = 5; n <= 6; n++) w.push("a", n, 100, 7000);
    await w.turn();
    const resent = w.sink.deadLetters.resend();
    expect(resent).toBeLessThan(4);
    expect(w.sink.deadLetters.count).toBe(4 - resent);
    await w.answerAll();
    expect(w.counts.dropped).toBe(0);
    expect(w.taken).toHaveLength(2 + resent);
  });

  test("handed over, they keep their numbers; rows that wait come first, and none is counted as dropped", async () => {
    const w = await given(4);
    w.sink.deadLetters.remove([1, 3]);
    for (let n = 5; n <= 7; n++) w.push("a", n);
    await w.turn();
    const left = w.sink.handOver();
    await w.pass(3000);
    const heir = new World({ lanes: 1 });
    heir.sink.inherit(await left);
    heir.push("a", 8);
    expect(heir.sink.deadLetters.list().map((l) => l.id)).toEqual([4, 2]);
    await heir.answerAll();
    expect(names(heir.taken)).toBe("a5 a6 a7 a8");
    expect([w.counts.dropped, heir.counts.dropped]).toEqual([0, 0]);
    heir.push("a", 9);
    await heir.answerAll(never);
    expect(heir.sink.deadLetters.list().map((l) => l.id)).toEqual([5, 4, 2]);
  });

  const bounds: readonly [name: string, settings: object, left: string[]][] = [
    ["number", { lettersMax: 2 }, ["a5", "a4"]],
    ["bytes", { letterBytesMax: 1000 }, ["a5", "a4"]],
    ["none", { lettersMax: 0 }, []],
  ];
  for (const [name, settings, left] of bounds)
    test(`bounded: ${name}`, async () => {
      const w = await given(5, settings);
      expect(w.letters).toEqual(left);
      expect(w.report.queue.gaveUp).toBe(5);
    });

  test("fewer, when fewer are to be kept", async () => {
    const w = await given(5);
    w.change({ lettersMax: 1 });
    expect(w.letters).toEqual(["a5"]);
  });
});
