import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Message } from "../../../../server/core/message.ts";
import { sysMessage } from "../../../../server/core/watch/sys_message.ts";
import { topicMatches } from "../../../../server/mqtt/topic.ts";
import { type Entry, RetainedIndex } from "../../../../server/plugins/retainer/retained_index.ts";
import { mono } from "../../../support/time.ts";

const message = (topic: string, text = "x"): Message => new Message(topic, Buffer.from(text), 0, true, "c", null, 0, 0, null);
const ALL = { found: Number.POSITIVE_INFINITY, visited: Number.POSITIVE_INFINITY };
function indexOf(...topics: string[]): RetainedIndex {
  const index = new RetainedIndex();
  for (const t of topics) index.set(message(t), mono(0));
  return index;
}
const match = (index: RetainedIndex, filter: string): string[] | undefined => index.match(filter, ALL)?.map((e) => e.message.topic);

describe("matching", () => {
  const index = indexOf("a", "a/b", "a/b/c", "a/", "/a", "", "b/b", "$SYS/x", "$SYS/x/y", "x//y");
  for (const [filter, topics] of [
    ["a", ["a"]],
    ["nope", []],
    ["a/#", ["a", "a/b", "a/b/c", "a/"]],
    ["a/+", ["a/b", "a/"]],
    ["+", ["a", ""]],
    ["+/b", ["a/b", "b/b"]],
    ["#", ["a", "a/b", "a/b/c", "a/", "/a", "", "b/b", "x//y"]],
    ["+/#", ["a", "a/b", "a/b/c", "a/", "/a", "", "b/b", "x//y"]],
    ["/#", ["/a", ""]],
    ["$SYS/#", ["$SYS/x", "$SYS/x/y"]],
    ["$SYS/+", ["$SYS/x"]],
    ["+/x", []],
    ["x/+/y", ["x//y"]],
    ["a/b/c/#", ["a/b/c"]],
    ["a/+/+", ["a/b/c"]],
  ] as const) {
    test(`${filter} selects ${topics.length}`, () => expect(match(index, filter)).toEqual([...topics]));
  }

  test("whatever the topics and the filter: what topicMatches says, in order of storing", () => {
    const level = fc.constantFrom("a", "b", "", "$a", "ü");
    const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((l) => l.join("/"));
    const filter = fc
      .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([l, hash]) => (hash ? [...l, "#"] : l).join("/"));
    fc.assert(
      fc.property(fc.uniqueArray(topic), fc.array(topic), fc.oneof(filter, fc.constant("#")), (topics, gone, f) => {
        const index = indexOf(...topics);
        const left = new Set(topics);
        for (const t of gone) expect(index.delete(t) !== null).toBe(left.delete(t));
        expect(match(index, f)).toEqual([...left].filter((t) => topicMatches(t, f)));
        expect(index.size).toBe(left.size);
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});

test("restored in order of time, whatever order it comes in; of two of one topic the later", () => {
  const row = (id: number, topic: string, at: number): Entry => ({
    message: new Message(topic, Buffer.from("x"), 0, true, "c", null, at, 0, null),
    since: mono(0),
    seq: 0,
    row: id,
  });
  const index = new RetainedIndex();
  expect(index.restore([row(1, "a", 5), row(2, "b", 3), row(3, "a/b", 4), row(4, "b", 9), row(5, "c", 9)]).map((e) => e.row)).toEqual([2]);
  const all = ["a/b", "a", "b", "c"];
  expect([[...index.entries()].map((e) => e.message.topic), match(index, "#"), index.get("b")?.row]).toEqual([all, all, 4]);
  expect([index.size, index.ordinary, index.bytes, index.seq]).toEqual([4, 4, indexOf(...all).bytes, 5]);
  index.delete("b");
  expect([index.get("b"), match(index, "#")]).toEqual([null, ["a/b", "a", "c"]]);
});

test("a replaced message moves to the end of the order and keeps one place", () => {
  const index = indexOf("a", "b", "c");
  index.set(message("a", "new"), mono(0));
  expect([...index.entries()].map((e) => e.message.topic)).toEqual(["b", "c", "a"]);
  expect(index.size).toBe(3);
  expect(index.get("a")?.message.payload).toEqual(Buffer.from("new"));
  expect(index.get("a")?.seq).toBe(index.seq);
});

test("the order is live: an iterator sees what is stored and misses what is deleted while it is under way", () => {
  const index = indexOf("a", "b", "c");
  const seen: string[] = [];
  for (const e of index.entries()) {
    seen.push(e.message.topic);
    if (e.message.topic === "a") {
      index.delete("b");
      index.set(message("d"), mono(0));
    }
  }
  expect(seen).toEqual(["a", "c", "d"]);
});

const own = (topic: string): Message => sysMessage(topic, "x", 0, 0, true);
/** As the API publishes for whoever names no sender. */
const nameless = (topic: string): Message => new Message(topic, Buffer.from("x"), 0, true, "", null, 0, 0, null);

test("who is ordinary is told by the message that is there, not by the topic", () => {
  const index = new RetainedIndex();
  const counts: number[] = [];
  for (const m of [own("$SYS/a"), message("$SYS/a"), message("$SYS/a"), own("$SYS/a"), own("$SYS/a"), nameless("$SYS/a")]) {
    index.set(m, mono(0));
    counts.push(index.ordinary);
  }
  expect(counts).toEqual([0, 1, 1, 0, 0, 1]);
});

test("the broker's own under $SYS are not counted among the ordinary ones; clear empties everything", () => {
  const index = indexOf("a", "$SYSTEM");
  index.set(own("$SYS/b"), mono(0));
  expect([index.size, index.ordinary]).toEqual([3, 2]);
  index.delete("$SYS/b");
  expect([index.size, index.ordinary]).toEqual([2, 2]);
  index.clear();
  expect([index.size, index.ordinary, index.get("a"), match(index, "#")]).toEqual([0, 0, null, []]);
});

test("a look-up beyond its budget gives up, an exact one never needs any", () => {
  const index = indexOf(...Array.from({ length: 100 }, (_, i) => `t/${i}/x`));
  expect(index.match("t/#", { found: 99, visited: 1000 })).toBeNull();
  expect(index.match("t/#", { found: 100, visited: 1000 })).toHaveLength(100);
  expect(index.match("t/+/nothing", { found: 100, visited: 50 })).toBeNull();
  expect(index.match("t/5/x", { found: 0, visited: 0 })).toHaveLength(1);
});

test("its bytes are those of the messages in it", () => {
  const index = new RetainedIndex();
  const bytes = (): number => index.bytes;
  index.set(message("a", "x".repeat(1000)), mono(0));
  const one = bytes();
  expect(one).toBeGreaterThan(1000);
  index.set(message("a", "x".repeat(10)), mono(0));
  expect(bytes()).toBe(one - 990);
  index.set(message("b"), mono(0));
  index.delete("b");
  index.delete("nobody");
  expect(bytes()).toBe(one - 990);
  index.delete("a");
  expect(bytes()).toBe(0);
  index.set(message("c"), mono(0));
  index.clear();
  expect(bytes()).toBe(0);
});
