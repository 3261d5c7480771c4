import { expect, test } from "bun:test";
import type { AnyPlugin } from "../../../server/plugins/plugin.ts";
import { Remembered } from "../../../server/plugins/remembered.ts";
import { memoryStore } from "../../support/memory_store.ts";

const plugin = (name: string, more: Partial<AnyPlugin> = {}): AnyPlugin => ({
  name,
  description: "",
  version: "",
  activeByDefault: false,
  config: {},
  start: () => {},
  ...more,
});

test("plugins are asked in the order in which they were loaded, also after a restart", () => {
  const store = memoryStore();
  const [a, b, c, d] = [plugin("a"), plugin("b"), plugin("c", { activeByDefault: true }), plugin("d", { required: true })];
  const first = new Remembered(store);
  const order = (r: Remembered) => r.inOrder([a, b, c, d].map((p) => ({ plugin: p }))).map((x) => x.plugin.name);
  expect([first.isDecided, first.isWanted(a), first.isWanted(c), first.isWanted(d)]).toEqual([false, false, true, true]);
  first.loaded(b);
  first.loaded(a);
  // Loaded again it keeps its place; unloaded and loaded it comes last.
  first.loaded(b);
  expect(order(first)).toEqual(["c", "d", "b", "a"]);
  first.unloaded(b);
  expect(first.isWanted(b)).toBe(false);
  first.loaded(b);
  first.unloaded(c);
  first.loaded(c);
  const next = new Remembered(store);
  expect([next.isDecided, next.isWanted(b), order(next)]).toEqual([true, true, ["d", "a", "b", "c"]]);
});

test("what ran in another tree comes in its order; what did not run there does not run here", () => {
  const r = new Remembered(memoryStore());
  const all = [plugin("a"), plugin("b", { activeByDefault: true }), plugin("c")];
  r.takeOver(all, new Set(["c", "unknown", "a"]));
  expect(all.map((p) => r.isWanted(p))).toEqual([true, false, true]);
  expect(r.inOrder(all.map((p) => ({ plugin: p }))).map((x) => x.plugin.name)).toEqual(["b", "c", "a"]);
});
