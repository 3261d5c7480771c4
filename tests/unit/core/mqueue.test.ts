import { describe, expect, test } from "bun:test";
import { Held } from "../../../server/core/held.ts";
import { Message } from "../../../server/core/message.ts";
import { Mqueue } from "../../../server/core/mqueue.ts";
import { plainTerms } from "../../../server/core/terms.ts";

function item(topic: string, payload = 0): Message {
  return new Message(topic, new Uint8Array(payload), 1, false, "", null, 0, 0, null);
}
const limits = (max: number, priorities: Record<string, number> | null = null, other: "highest" | "lowest" = "highest") => ({
  maxMqueueLen: max,
  maxMqueueBytes: 0,
  mqueuePriorities: priorities === null ? null : new Map(Object.entries(priorities)),
  mqueueDefaultPriority: other,
});
/** Append; the topics that had to go. */
function push(q: Mqueue, m: Message, seq = 0): string[] {
  q.push(m, plainTerms(1, false), seq);
  const gone: string[] = [];
  for (let out = q.overflow(); out !== null; out = q.overflow()) gone.push(out.message.topic);
  return gone;
}
function drain(q: Mqueue): string[] {
  const out: string[] = [];
  for (; q.length > 0; q.shift()) out.push(q.peek().message.topic);
  return out;
}

describe("Mqueue", () => {
  test("first in, first out", () => {
    const q = new Mqueue(limits(0));
    for (let i = 0; i < 300; i++) push(q, item(String(i)));
    expect(q.length).toBe(300);
    expect(drain(q)).toEqual(Array.from({ length: 300 }, (_, i) => String(i)));
    expect(q.length).toBe(0);
  });

  test("full: the oldest goes, and is handed back", () => {
    const q = new Mqueue(limits(2));
    expect(push(q, item("a"))).toEqual([]);
    expect(push(q, item("b"))).toEqual([]);
    expect(push(q, item("c"))).toEqual(["a"]);
    expect(q.length).toBe(2);
    expect(drain(q)).toEqual(["b", "c"]);
  });

  test("priorities: highest first; unlisted topics as the default says", () => {
    const high = new Mqueue(limits(0, { x: 10, y: 5 }, "lowest"));
    for (const t of ["y", "other", "x", "y"]) push(high, item(t));
    expect(drain(high)).toEqual(["x", "y", "y", "other"]);
    const low = new Mqueue(limits(0, { x: 10 }, "highest"));
    for (const t of ["x", "other"]) push(low, item(t));
    expect(drain(low)).toEqual(["other", "x"]);
  });

  test("full with priorities: the lowest loses its oldest", () => {
    const q = new Mqueue(limits(2, { x: 10, y: 5 }, "lowest"));
    push(q, item("y"));
    push(q, item("x"));
    expect(push(q, item("x"))).toEqual(["y"]);
    expect(drain(q)).toEqual(["x", "x"]);
  });

  test("too large: as many of the oldest go as it takes, and the new one itself when it alone is too large", () => {
    const q = new Mqueue({ ...limits(0), maxMqueueBytes: 10_000 });
    for (const t of ["a", "b", "c", "d"]) expect(push(q, item(t, 2000))).toEqual([]);
    expect(q.bytes).toBe(4 * 2201);
    expect(push(q, item("e", 5000))).toEqual(["a", "b"]);
    expect(push(q, item("f", 10_000))).toEqual(["c", "d", "e", "f"]);
    expect([q.length, q.bytes]).toEqual([0, 0]);
  });

  test("no memory to spare: it does not grow, whatever its limits are", () => {
    const held = new Held();
    const q = new Mqueue(limits(0), held);
    for (const t of ["a", "b", "c"]) push(q, item(t, 1000));
    held.full = true;
    expect(push(q, item("d", 1000))).toEqual(["a"]);
    expect(push(q, item("e", 10))).toEqual(["b"]);
    expect(push(q, item("f", 900))).toEqual(["c"]);
    expect(push(new Mqueue(limits(0), held), item("x"))).toEqual(["x"]);
    held.full = false;
    expect(push(q, item("g", 5000))).toEqual([]);
    expect(drain(q)).toEqual(["d", "e", "f", "g"]);
    expect(held.bytes).toBe(0);
  });

  test("interleaved push and shift keep order", () => {
    const q = new Mqueue(limits(0));
    const seen: string[] = [];
    for (let i = 0; i < 1000; i++) {
      push(q, item(String(i)));
      if (i % 3 === 0) continue;
      seen.push(q.peek().message.topic);
      q.shift();
    }
    seen.push(...drain(q));
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => String(i)));
  });

  test("each has its own terms and number, across growth, and none of them one any more when the journal forgets", () => {
    const q = new Mqueue(limits(0, { x: 1 }, "lowest"));
    const want: [string, number, number][] = [];
    for (let i = 0; i < 100; i++) {
      const topic = i % 7 === 0 ? "x" : `t${i}`;
      const qos = i % 2 === 0 ? 1 : 2;
      // Not the first one: numbers may begin when there are some without.
      const seq = i < 3 ? 0 : i;
      q.push(item(topic), plainTerms(qos, false), seq);
      want.push([topic, qos, seq]);
      if (i !== 50) continue;
      const { message, terms, seq: first } = q.peek();
      expect([message.topic, terms.qos, first]).toEqual(["x", 1, 0]);
    }
    const rows = () => [...q].map((i) => [i.message.topic, i.terms.qos, i.seq]);
    const byPriority = [...want.filter((w) => w[0] === "x"), ...want.filter((w) => w[0] !== "x")];
    expect(rows()).toEqual(byPriority);
    q.forgetSeqs();
    expect(rows()).toEqual(byPriority.map(([topic, qos]) => [topic, qos, 0]));
    q.push(item("last"), plainTerms(1, false), 500);
    expect(rows().at(-1)).toEqual(["last", 1, 500]);
    q.clear();
    expect([q.length, q.bytes, [...q]]).toEqual([0, 0, []]);
  });

  test("what went is let go: by the queue, and in what is counted", async () => {
    const held = new Held();
    const q = new Mqueue(limits(0), held);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 1000; i++) push(q, item(String(i)), i + 1);
      expect(q.peek().seq).toBe(1);
      expect(drain(q)).toHaveLength(1000);
      push(q, item("one"));
      expect([q.peek().message.topic, q.peek().seq]).toEqual(["one", 0]);
      q.shift();
    }
    const gone = new WeakRef(item("gone"));
    push(q, gone.deref() as Message);
    q.shift();
    push(q, item("stays"));
    // What the test itself has in hand lives until the turn is over.
    await Bun.sleep(0);
    Bun.gc(true);
    expect([gone.deref(), q.length]).toEqual([undefined, 1]);
    q.clear();
    expect(held.bytes).toBe(0);
  });

  test("a ring that was large is not kept for the few that are left, and counts while it is", () => {
    const held = new Held();
    const q = new Mqueue(limits(0), held);
    const one = item("t");
    q.push(one, plainTerms(1, false), 0);
    const alone = held.bytes;
    for (let i = 1; i < 1000; i++) q.push(one, plainTerms(1, false), i);
    const perEntry = (held.bytes - alone - (1024 - 64) * 16) / 999;
    expect(perEntry).toBe(48);
    while (q.length > 250) q.shift();
    expect(held.bytes - alone).toBe(249 * perEntry + (512 - 64) * 16);
    while (q.length > 1) q.shift();
    expect([held.bytes - alone, q.peek().seq]).toEqual([0, 999]);
    q.shift();
    expect(held.bytes).toBe(0);
  });
});
