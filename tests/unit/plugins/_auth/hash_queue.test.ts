/** Slow hashes: a few at a time, as many wait as have their turn in time, addresses take turns. */
import { expect, test } from "bun:test";
import { HashQueue, NOBODY } from "../../../../server/plugins/_auth/hash_queue.ts";

/** Jobs that end when the test says so; a hash takes what the test says. */
function world(atATime: number, waitingMs: number) {
  let now = 0;
  const queue = new HashQueue(atATime, waitingMs, () => now);
  const begun: string[] = [];
  const open = new Map<string, () => void>();
  const add = (name: string, { from = "", guessMs = 10, kind = "bcrypt,12", wanted = true } = {}): Promise<string> | null =>
    queue.run({ kind, guessMs }, from, async (timed) => {
      begun.push(name);
      return wanted ? timed(() => new Promise<string>((done) => void open.set(name, () => done(name)))) : name;
    });
  const end = async (name: string, tookMs = 10): Promise<void> => {
    now += tookMs;
    open.get(name)?.();
    await new Promise((done) => setImmediate(done));
  };
  return { queue, begun, add, end };
}

test("a few run at a time, as many wait as have their turn in time, and whoever comes then hears that it is too much", async () => {
  const { queue, begun, add, end } = world(2, 15);
  const jobs = ["a", "b", "c", "d", "e", "f"].map((name, i) => add(name, { from: `10.0.0.${i}` }));
  expect(begun).toEqual(["a", "b"]);
  // Three of 10 ms by two threads: the last one has its turn within 15 ms.
  expect([jobs[5], queue.size]).toEqual([null, 5]);
  for (const name of ["a", "b", "c", "d", "e"]) await end(name);
  expect(await Promise.all(jobs)).toEqual(["a", "b", "c", "d", "e", null]);
  expect([begun, queue.size]).toEqual([["a", "b", "c", "d", "e"], 0]);
  // One that fails makes room as well.
  const failing = queue.run({ kind: "x", guessMs: 1 }, "", () => Promise.reject(new Error("no")));
  await expect(failing as Promise<never>).rejects.toThrow("no");
  expect(queue.size).toBe(0);
});

test("the bound is in time: slower hashes than was thought make the queue shorter, quicker ones longer", async () => {
  const taken = async (tookMs: number): Promise<number> => {
    const { queue, add, end } = world(1, 15_000);
    for (let i = 0; i < 40; i++) {
      add(`measured ${i}`);
      await end(`measured ${i}`, tookMs);
    }
    for (let i = 0; i < 10_000; i++) add(`waiting ${i}`, { from: `10.0.${i >> 8}.${i & 255}` });
    return queue.size - 1;
  };
  // bcrypt of cost 12 takes 250 ms: 60 of them wait, not thousands.
  expect([await taken(10), await taken(250), await taken(2)]).toEqual([1500, 60, expect.any(Number)]);
  expect(await taken(2)).toBeGreaterThan(7000);
});

test("who has left costs no time, and is not measured", async () => {
  const { queue, add, end } = world(1, 100);
  add("first");
  for (let i = 0; i < 6; i++) add(`left ${i}`, { wanted: false });
  await end("first");
  expect(queue.size).toBe(0);
  add("runs");
  const before = queue.size;
  for (let i = 0; i < 20; i++) add(`waits ${i}`, { from: `10.0.0.${i}` });
  expect(queue.size - before).toBe(10);
});

test("addresses take turns, and one that sends thousands leaves room to the others", async () => {
  const { queue, begun, add, end } = world(1, 90);
  for (let i = 0; i < 100; i++) add(`flood ${i}`, { from: "10.6.6.6" });
  expect(queue.size).toBe(1 + 5);
  const other = add("other", { from: "10.0.0.1" });
  expect(other).not.toBeNull();
  await end("flood 0");
  await end("flood 1");
  expect(begun).toEqual(["flood 0", "flood 1", "other"]);
  await end("other");
  expect(await other).toBe("other");
});

test("however many addresses send thousands, somebody from elsewhere still finds room", () => {
  const { queue, add } = world(1, 640);
  add("runs", { from: "10.0.0.1" });
  const taken = ["10.6.6.6", "10.6.6.7", "10.6.6.8", "10.6.6.9"].map((from) => {
    const before = queue.size;
    for (let i = 0; i < 100; i++) add(`flood ${from} ${i}`, { from });
    return queue.size - before;
  });
  expect(taken).toEqual([32, 16, 8, 4]);
  expect(add("other", { from: "10.0.0.2" })).not.toBeNull();
});

test("an address's part is in time, too, whatever it is a mixture of", () => {
  const slow = { from: "10.6.6.6", kind: "bcrypt,12", guessMs: 28 };
  const quick = { from: "10.6.6.6", kind: "argon2id", guessMs: 1 };
  const taken = (add: ReturnType<typeof world>["add"], what: typeof slow, most = 10_000): number => {
    let n = 0;
    while (n < most && add(`${what.kind} ${n}`, what) !== null) n++;
    return n;
  };
  const first = world(1, 1500);
  first.add("runs", { kind: "other" });
  // 20 of 28 ms and 190 of 1 ms are half of 1.5 s.
  expect([taken(first.add, slow, 20), taken(first.add, quick)]).toEqual([20, 190]);
  expect(first.add("other", { ...slow, from: "10.0.0.1" })).not.toBeNull();
  const second = world(1, 1500);
  second.add("runs", { kind: "other" });
  for (let i = 0; i < 100; i++) second.add(`quick ${i}`, quick);
  expect(taken(second.add, slow)).toBe(23);
});

test("what has had its turn is no part of an address's any more", async () => {
  const { add, end } = world(1, 30);
  add("runs", { from: "10.0.0.1" });
  expect(
    [add("a", { from: "10.0.0.1" }), add("b", { from: "10.0.0.1" }), add("c", { from: "10.0.0.1" })].map((job) => job !== null),
  ).toEqual([true, true, false]);
  await end("runs");
  expect([add("c", { from: "10.0.0.1" }), add("d", { from: "10.0.0.1" })].map((job) => job !== null)).toEqual([true, false]);
});

test("what is hashed for nobody has one turn of four while others wait, and every turn when none does", async () => {
  const { queue, begun, add, end } = world(1, 15_000);
  add("runs");
  for (let i = 0; i < 4; i++) add(`nobody ${i}`, { from: NOBODY });
  for (let i = 0; i < 4; i++) add(`a ${i}`, { from: "10.0.0.1" });
  for (let i = 0; i < 2; i++) add(`b ${i}`, { from: "10.0.0.2" });
  while (queue.size > 0) await end(begun.at(-1) ?? "");
  const order = ["a 0", "b 0", "a 1", "nobody 0", "b 1", "a 2", "a 3", "nobody 1", "nobody 2", "nobody 3"];
  expect(begun).toEqual(["runs", ...order]);
});
