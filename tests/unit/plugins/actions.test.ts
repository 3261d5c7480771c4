import { expect, test } from "bun:test";
import { type ActionKind, ActionKinds, type ResourceKind } from "../../../server/plugins/actions.ts";

const action = (name: string): ActionKind => ({
  name,
  for: "$any",
  type: "built_in",
  title: "",
  description: "",
  params: {},
  open: () => ({ run: () => {}, close: () => {} }),
});
const resource = (name: string): ResourceKind => ({
  name,
  title: "",
  description: "",
  params: {},
  open: () => ({ status: () => [], close: () => {} }),
  test: async () => [],
});

test("kinds come with a plugin and go with it, and whoever watches hears of it", () => {
  const kinds = new ActionKinds();
  let told = 0;
  const stop = kinds.watch(() => told++);
  const back = kinds.offer("emqx_a", { actions: [action("a:x")], resources: [resource("a")] });
  kinds.offer("emqx_b", { actions: [action("b:x")] });
  expect([...kinds.actions].map(([name, { app }]) => `${name} ${app}`)).toEqual(["a:x emqx_a", "b:x emqx_b"]);
  expect(kinds.resources.get("a")?.app).toBe("emqx_a");
  back();
  expect([[...kinds.actions.keys()], kinds.resources.size, told]).toEqual([["b:x"], 0, 3]);
  stop();
  kinds.offer("emqx_a", { resources: [resource("a")] });
  expect(told).toBe(3);
});

test("a name that is taken is refused, and nothing of that plugin is there", () => {
  const kinds = new ActionKinds();
  kinds.offer("emqx_a", { actions: [action("a:x")], resources: [resource("a")] });
  expect(() => kinds.offer("emqx_b", { actions: [action("b:x"), action("a:x")] })).toThrow("there is an action a:x already");
  expect(() => kinds.offer("emqx_b", { actions: [action("b:x")], resources: [resource("a")] })).toThrow("resource type a already");
  expect([...kinds.actions.keys()]).toEqual(["a:x"]);
});
