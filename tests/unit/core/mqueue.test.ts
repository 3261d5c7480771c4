import { describe, expect, test } from "bun:test";
import { Message } from "../../../server/core/message.ts";
import { Mqueue, type QueueItem } from "../../../server/core/mqueue.ts";
import { plainTerms } from "../../../server/core/terms.ts";

function item(topic: string): QueueItem {
  return {
    message: new Message(topic, new Uint8Array(0), 1, false, "", null, 0, 0, null),
    terms: plainTerms(1, false),
    seq: 0,
  };
}
const limits = (max: number, priorities: Record<string, number> | null = null, other: "highest" | "lowest" = "highest") => ({
  maxMqueueLen: max,
  mqueuePriorities: priorities === null ? null : new Map(Object.entries(priorities)),
  mqueueDefaultPriority: other,
});
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
    expect(q.push(item("a"))).toBeNull();
    expect(q.push(item("b"))).toBeNull();
    expect(q.push(item("c"))?.message.topic).toBe("a");
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
    expect(q.push(item("x"))?.message.topic).toBe("y");
    expect(drain(q)).toEqual(["x", "x"]);
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
