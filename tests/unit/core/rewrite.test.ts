import { describe, expect, test } from "bun:test";
import { Hooks } from "../../../server/core/hooks.ts";
import { Message } from "../../../server/core/message.ts";
import { installRewrite, type RewriteRule, rewriteFilter, rewriteTopic } from "../../../server/core/rewrite.ts";
import { aClient, silentLog } from "../../support/access.ts";

/** The examples of EMQ X's configuration file. */
const RULES: RewriteRule[] = [
  { filter: "x/#", re: /^x\/y\/(.+)$/, dest: "z/y/$1" },
  { filter: "y/+/z/#", re: /^y\/(.+)\/z\/(.+)$/, dest: "y/z/$2" },
];

describe("rewriting", () => {
  test.each([
    ["x/y/1", "z/y/1"],
    ["x/y/1/2", "z/y/1/2"],
    ["x/1/2", "x/1/2"],
    ["x/y", "x/y"],
    ["y/a/z/b", "y/z/b"],
    ["y/def/x", "y/def/x"],
    ["other", "other"],
    ["$x/y/1", "$x/y/1"],
  ])("%s becomes %s", (from, to) => expect(rewriteTopic(RULES, from)).toBe(to));

  test("the first rule that matches decides, applied once", () => {
    const rules: RewriteRule[] = [
      { filter: "a/#", re: /^no$/, dest: "never" },
      { filter: "a/b", re: /.*/, dest: "second" },
    ];
    expect(rewriteTopic(rules, "a/b")).toBe("a/b");
    expect(rewriteTopic([{ filter: "#", re: /^(.*)$/, dest: "p/$1" }], "a")).toBe("p/a");
  });

  test("groups: many, missing, unknown", () => {
    const re = /^(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(q)?$/;
    expect(rewriteTopic([{ filter: "#", re, dest: "$11-$1-$12-$13-$0" }], "abcdefghijk")).toBe("k-a--$13-$0");
    const sticky = { filter: "#", re: /b/g, dest: "$&" };
    expect([rewriteTopic([sticky], "ab"), rewriteTopic([sticky], "ab")]).toEqual(["$&", "$&"]);
  });

  test("subscriptions with wildcards and share groups", () => {
    expect(rewriteFilter(RULES, "x/y/#")).toBe("z/y/#");
    expect(rewriteFilter(RULES, "y/+/z/#")).toBe("y/z/#");
    expect(rewriteFilter(RULES, "$share/g/x/y/1")).toBe("$share/g/z/y/1");
    expect(rewriteFilter(RULES, "$queue/x/y/1")).toBe("$queue/z/y/1");
    expect(rewriteFilter([{ filter: "a", re: /a/, dest: "b/#/c" }], "a")).toBe("a");
  });
});

describe("on the hooks", () => {
  const message = (topic: string): Message => new Message(topic, new Uint8Array(2), 1, true, "c", "u", 7, 9, null);

  test("publish, subscribe, unsubscribe", () => {
    const hooks = new Hooks(silentLog);
    installRewrite(hooks, { rewrite: RULES });
    const m = hooks.publish(message("x/y/1"));
    expect(m).toMatchObject({ topic: "z/y/1", qos: 1, retain: true, from: "c", username: "u", timestamp: 7, expiresAt: 9 });
    const same = message("other");
    expect(hooks.publish(same)).toBe(same);
    const options = { qos: 0, nl: false, rap: false, rh: 0, subId: 0 } as const;
    const topics = [{ filter: "x/y/1", options: { ...options } }];
    hooks.run("client.subscribe", aClient(), topics);
    expect(topics[0]?.filter).toBe("z/y/1");
    const filters = ["x/y/1", "q"];
    hooks.run("client.unsubscribe", aClient(), filters);
    expect(filters).toEqual(["z/y/1", "q"]);
  });

  test("a destination that is no topic name leaves the message alone", () => {
    const hooks = new Hooks(silentLog);
    installRewrite(hooks, { rewrite: [{ filter: "a", re: /a/, dest: "b/+" }] });
    expect(hooks.publish(message("a"))?.topic).toBe("a");
  });

  test("messages no rule can concern stay on the fast path", () => {
    const prefixOf = (...filters: string[]): string | null => {
      const hooks = new Hooks(silentLog);
      installRewrite(hooks, { rewrite: filters.map((filter) => ({ filter, re: /./, dest: "x" })) });
      return hooks.at["message.publish"][0]?.filter?.prefix ?? null;
    };
    expect(prefixOf("x/#")).toBe("x");
    expect(prefixOf("dev/+/up")).toBe("dev/");
    expect(prefixOf("dev/a/#", "dev/b")).toBe("dev/");
    expect(prefixOf("exact")).toBe("exact");
    expect(prefixOf("a", "b")).toBeNull();
    expect(prefixOf("#")).toBeNull();
    expect(prefixOf("+/a")).toBeNull();
  });

  test("off is free; a change is taken over by refresh", () => {
    const hooks = new Hooks(silentLog);
    const node: { rewrite: RewriteRule[] } = { rewrite: [] };
    const installed = installRewrite(hooks, node);
    expect(hooks.at["message.publish"]).toHaveLength(0);
    node.rewrite = RULES;
    installed.refresh();
    installed.refresh();
    expect(hooks.at["message.publish"]).toHaveLength(1);
    installed.remove();
    expect(hooks.at["message.publish"]).toHaveLength(0);
    expect(hooks.at["client.subscribe"]).toHaveLength(0);
    expect(hooks.at["client.unsubscribe"]).toHaveLength(0);
  });
});
