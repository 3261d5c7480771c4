/** The compressed trie against the plain definition of matching, and at its limits. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Trie } from "../../../server/core/trie.ts";
import { WideMap } from "../../../server/lib/wide_map.ts";
import { topicMatches } from "../../../server/mqtt/topic.ts";

interface Value {
  path: string;
}

const NO_LIMIT = { found: Number.POSITIVE_INFINITY, visited: Number.POSITIVE_INFINITY };
const level = fc.constantFrom("a", "b", "ab", "", "$x", "abc");
const topic = fc.array(level, { minLength: 1, maxLength: 6 }).map((l) => l.join("/"));
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 0, maxLength: 5 }), fc.constantFrom("#", "+", "a"))
  .map(([levels, last]) => [...levels, last].join("/"));

/** The values of the filters that match, with the topic somewhere in a buffer. */
function matching(trie: Trie<Value>, name: string): Value[] {
  const buf = Buffer.from(`/x/${name}/x`);
  const found: Value[] = [];
  const before = trie.steps;
  expect(trie.match(buf, 3, buf.length - 2, found, false)).toBe(trie.steps - before);
  const steps = trie.steps - before;
  trie.follow(buf, 3, buf.length - 2);
  if (trie.prefix.length === 0) return found;
  // From behind the prefix it is the same, in as many steps.
  expect(trie.prefix.begins(buf, 3, buf.length - 2)).toBe(name.length > 3);
  const again: Value[] = [];
  expect(trie.match(buf, 3, buf.length - 2, again, true)).toBe(steps);
  expect(again).toEqual(found);
  return found;
}

const paths = (found: readonly Value[] | null): string[] | null => found?.map((v) => v.path).sort() ?? null;

/** Adds all, takes every `drop`th away again; what is in it then. */
function filled(all: readonly string[], drop: number): { trie: Trie<Value>; there: string[] } {
  const trie = new Trie<Value>();
  for (const path of all) trie.set(path, { path });
  const gone = new Set(all.filter((_, i) => i % drop === 0));
  for (const path of gone) {
    trie.delete(path);
    trie.delete(path);
  }
  return { trie, there: [...new Set(all)].filter((p) => !gone.has(p)) };
}

describe("against the definition", () => {
  test("filters that match a topic", () => {
    fc.assert(
      fc.property(
        fc.array(filter, { maxLength: 30 }),
        fc.integer({ min: 2, max: 5 }),
        fc.array(topic, { maxLength: 10 }),
        (filters, drop, topics) => {
          const { trie, there } = filled(filters, drop);
          expect(trie.size).toBe(there.length);
          for (const t of topics) expect(paths(matching(trie, t))).toEqual(there.filter((f) => topicMatches(t, f)).sort());
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("what is at a path: that alone, whatever is around it, until it is taken away", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(topic, fc.constantFrom("set", "put", "delete"))),
        fc.array(topic, { maxLength: 10 }),
        (steps, others) => {
          const trie = new Trie<Value>();
          const model = new Map<string, Value>();
          for (const [path, step] of steps) {
            const value = { path };
            const before = model.get(path);
            if (step === "delete") {
              expect(trie.delete(path)).toBe(before ?? null);
              model.delete(path);
            } else if (step === "put") {
              expect(trie.put(path, value)).toBe(before ?? value);
              model.set(path, before ?? value);
            } else {
              trie.set(path, value);
              model.set(path, value);
            }
          }
          expect(trie.size).toBe(model.size);
          for (const path of [...model.keys(), ...others]) expect(trie.get(path)).toBe(model.get(path) ?? null);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("topics that a filter selects", () => {
    fc.assert(
      fc.property(
        fc.array(topic, { maxLength: 30 }),
        fc.integer({ min: 2, max: 5 }),
        fc.array(filter, { maxLength: 10 }),
        (topics, drop, filters) => {
          const { trie, there } = filled(topics, drop);
          for (const f of filters) expect(paths(trie.select(f, NO_LIMIT))).toEqual(there.filter((t) => topicMatches(t, f)).sort());
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("names that begin alike are followed as far as nothing but single levels leads, skipped levels and all", () => {
    const follows = (filters: string[], name: string): number => {
      const trie = new Trie<Value>();
      for (const f of filters) trie.set(f, { path: f });
      const buf = Buffer.from(name);
      trie.follow(buf, 0, buf.length);
      const found: Value[] = [];
      // Behind the prefix is what is there without it.
      trie.match(buf, 0, buf.length, found, true);
      const all: Value[] = [];
      trie.match(buf, 0, buf.length, all, false);
      expect(found.map((v) => v.path).sort()).toEqual(all.map((v) => v.path).sort());
      return trie.prefix.length;
    };
    expect(follows(["site/7/line/+/x", "site/7/line/3/y"], "site/7/line/3/x")).toBe("site/7/line/".length);
    expect(follows(["a/b", "a/c"], "a/b")).toBe("a/".length);
    expect(follows(["a/+"], "a/b")).toBe("a/".length);
    // Others, a wildcard at the first level, and a name that only begins so.
    expect([follows(["x/y"], "a/b"), follows(["+/b"], "a/b"), follows(["site/7/line"], "site/77/line")]).toEqual([0, 0, 0]);
  });

  test("empty again after everything is taken away", () => {
    fc.assert(
      fc.property(fc.uniqueArray(filter, { maxLength: 30 }), fc.array(topic, { maxLength: 5 }), (filters, topics) => {
        const { trie } = filled(filters, 1);
        expect(trie.size).toBe(0);
        for (const t of topics) expect(matching(trie, t)).toEqual([]);
      }),
    );
  });
});

describe("limits", () => {
  const deep = "/".repeat(65_535);

  test("as many levels as a topic can have", () => {
    const trie = new Trie<Value>();
    const filters = ["#", `+${deep}`, `${deep}#`, "+/".repeat(32_000), `${"+/".repeat(32_000)}#`, "+/".repeat(32_001)];
    for (const path of filters) trie.set(path, { path });
    expect(paths(matching(trie, "a/".repeat(32_000)))).toEqual(["#", "+/".repeat(32_000), `${"+/".repeat(32_000)}#`].sort());
    expect(paths(matching(trie, deep))).toEqual(["#", `+${deep}`, `${deep}#`, `${"+/".repeat(32_000)}#`].sort());
    for (const path of filters) trie.delete(path);
    expect(trie.size).toBe(0);
    trie.set(deep, { path: deep });
    expect(trie.select("#", NO_LIMIT)).toHaveLength(1);
    expect(trie.select(`${"+/".repeat(65_535)}+`, NO_LIMIT)).toHaveLength(1);
  });

  test("a hundred filters of full length are a few megabytes", () => {
    const trie = new Trie<Value>();
    const before = heap();
    for (let i = 0; i < 100; i++) trie.set(`${i}/${"+/".repeat(32_000)}#`, { path: "" });
    expect(trie.size).toBe(100);
    expect(heap() - before).toBeLessThan(30 * 1024 * 1024);
  });

  test("40,000 names at one level, with wildcards beside them, and one after the other away again", () => {
    const { trie, there } = filled(["n/+/x", "n/#", ...Array.from({ length: 40_000 }, (_, i) => `n/${i}/x`)], 2);
    expect(there).toContain("n/#");
    expect(trie.size).toBe(there.length);
    expect(paths(matching(trie, "n/777/x"))).toEqual(["n/#", "n/777/x"]);
    expect(paths(matching(trie, "n/776/x"))).toEqual(["n/#"]);
    expect(paths(trie.select("n/+/x", NO_LIMIT))).toEqual(there.filter((x) => x !== "n/#").sort());
    for (const path of there) trie.delete(path);
    expect([trie.size, trie.select("#", NO_LIMIT)]).toEqual([0, []]);
  });

  test("a look-up that cannot end within its budget does not even list what it would have to look at", () => {
    const trie = new Trie<Value>();
    for (let i = 0; i < 40_000; i++) trie.set(`t/${i}`, { path: `t/${i}` });
    let listed = 0;
    const each = WideMap.prototype[Symbol.iterator];
    WideMap.prototype[Symbol.iterator] = function* (): Iterator<[string, unknown]> {
      for (const entry of { [Symbol.iterator]: () => each.call(this) }) {
        listed++;
        yield entry;
      }
    };
    try {
      for (const filter of ["t/+", "t/#", "#", "+/+"]) expect(trie.select(filter, { found: 10, visited: 10_000 })).toBeNull();
      expect(listed).toBe(0);
      expect(trie.select("t/+", NO_LIMIT)).toHaveLength(40_000);
      expect(listed).toBe(40_000);
    } finally {
      WideMap.prototype[Symbol.iterator] = each;
    }
  });

  test("a look-up stops at its budget", () => {
    const trie = new Trie<Value>();
    for (let i = 0; i < 100; i++) trie.set(`t/${i}/x`, { path: `t/${i}/x` });
    expect(trie.select("t/#", { found: 100, visited: 1000 })).toHaveLength(100);
    expect(trie.select("t/#", { found: 99, visited: 1000 })).toBeNull();
    expect(trie.select("t/#", { found: 100, visited: 50 })).toBeNull();
    expect(trie.select("t/5/+", { found: 1, visited: 5 })).toHaveLength(1);
  });

  test("a budget is what is counted, neither less nor more", () => {
    const trie = new Trie<Value>();
    for (let i = 0; i < 10; i++) trie.set(`t/${i}/x`, { path: `t/${i}/x` });
    const before = trie.steps;
    trie.select("t/5/x", NO_LIMIT);
    const visited = trie.steps - before;
    expect(visited).toBeGreaterThan(1);
    expect(trie.select("t/5/x", { found: 1, visited })).toHaveLength(1);
    expect(trie.select("t/5/x", { found: 1, visited: visited - 1 })).toBeNull();
  });
});

function heap(): number {
  Bun.gc(true);
  return process.memoryUsage().heapUsed;
}
