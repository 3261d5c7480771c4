import { describe, expect, test } from "bun:test";
import { Held } from "../../../server/core/held.ts";
import { Message } from "../../../server/core/message.ts";
import { Mqueue, type QueueItem } from "../../../server/core/mqueue.ts";
import { plainTerms } from "../../../server/core/terms.ts";

function item(topic: string, payload = 0): QueueItem {
  return {
    message: new Message(topic, new Uint8Array(payload), 1, false, "", null, 0, 0, null),
    terms: plainTerms(1, false),
    seq: 0,
  };
}
const limits = (max: number, priorities: Record<string, number> | null = null, other: "highest" | "lowest" = "highest") => ({
  maxMqueueLen: max,
  maxMqueueBytes: 0,
  mqueuePriorities: priorities === null ? null : new Map(Object.entries(priorities)),
  mqueueDefaultPriority: other,
});
/** Append; the topics that had to go. */
function push(q: Mqueue, i: QueueItem): string[] {
  q.push(i);
  const gone: string[] = [];
  for (let out = q.overflow(); out !== null; out = q.overflow()) gone.push(out.message.topic);
  return gone;
}
function drain(q: Mqueue): string[] {
  const out: string[] = [];
  for (let i = q.shift(); i !== null; i = q.shift()) out.push(i.message.topic);
  return out;
}

describe("Mqueue", () => {
  test("first in, first out", () => {
    const q = new Mqueue(limits(0));
    for (let i = 0; i < 300; i++) q.push(item(String(i)));
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
    for (const t of ["y", "other", "x", "y"]) high.push(item(t));
    expect(drain(high)).toEqual(["x", "y", "y", "other"]);
    const low = new Mqueue(limits(0, { x: 10 }, "highest"));
    for (const t of ["x", "other"]) low.push(item(t));
    expect(drain(low)).toEqual(["other", "x"]);
  });

  test("full with priorities: the lowest loses its oldest", () => {
    const q = new Mqueue(limits(2, { x: 10, y: 5 }, "lowest"));
    q.push(item("y"));
    q.push(item("x"));
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
      q.push(item(String(i)));
      if (i % 3 !== 0) seen.push(q.shift()?.message.topic ?? "?");
    }
    seen.push(...drain(q));
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => String(i)));
  });
});
