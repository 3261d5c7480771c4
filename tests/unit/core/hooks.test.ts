import { describe, expect, test } from "bun:test";
import { type HookFilter, Hooks } from "../../../server/core/hooks.ts";
import { Message } from "../../../server/core/message.ts";
import { TestKit, TestLog } from "../../support/test_broker.ts";

const message = (topic: string, retain = false): Message => new Message(topic, new Uint8Array(1), 0, retain, "", null, 0, 0, null);

describe("filters of message.publish handlers", () => {
  const run = (filter: { retained?: true; prefix?: string } | null): string[] => {
    const hooks = new Hooks(new TestLog());
    const seen: string[] = [];
    hooks.add(
      "message.publish",
      "test",
      (m) => {
        seen.push(`${m.topic}${m.retain ? "!" : ""}`);
        return m;
      },
      0,
      filter,
    );
    for (const topic of ["a/x", "b/x"]) for (const retain of [false, true]) hooks.publish(message(topic, retain));
    return seen;
  };

  test("retained, prefix, both, none", () => {
    expect(run({ retained: true })).toEqual(["a/x!", "b/x!"]);
    expect(run({ prefix: "a/" })).toEqual(["a/x", "a/x!"]);
    expect(run({ retained: true, prefix: "a/" })).toEqual(["a/x!"]);
    expect(run(null)).toEqual(["a/x", "a/x!", "b/x", "b/x!"]);
    expect(run({})).toEqual(["a/x", "a/x!", "b/x", "b/x!"]);
  });

  test("topic: those it says yes to, and none of $SYS unless it may", () => {
    const kit = new TestKit();
    const p = kit.connected("p");
    const [seen, asked]: [string[], string[]] = [[], []];
    const see = (m: Message): Message => {
      seen.push(m.topic);
      return m;
    };
    const hang = (filter: HookFilter): (() => void) => kit.hooks.add("message.publish", "test", see, 0, filter);
    const topic = (t: string): boolean => asked.push(t) > 0 && t !== "no";
    hang({ topic });
    for (const t of ["yes", "yes", "no", "no", "no", "yes"]) p.publish(t);
    kit.broker.publish(message("$SYS/x"));
    expect(seen).toEqual(["yes", "yes", "yes"]);
    expect([kit.hooks.selectsSys, kit.broker.sysHeard, kit.broker.heard("$SYS/x")]).toEqual([false, false, false]);
    // Of a topic that is repeated it is asked once, and again when handlers have changed.
    asked.length = 0;
    for (let i = 0; i < 5; i++) p.publish("no");
    expect(asked.length).toBeLessThan(3);
    hang({ topic: (t) => t !== "yes", sys: true });
    for (const t of ["yes", "no", "no"]) p.publish(t);
    kit.broker.publish(message("$SYS/x"));
    expect(seen.slice(3)).toEqual(["no", "no", "$SYS/x"]);
    expect([kit.hooks.selectsSys, kit.broker.sysHeard]).toEqual([true, true]);
  });

  test("a plugin from a file that says retained: false sees every message, those on the fast path too", () => {
    const kit = new TestKit();
    const p = kit.connected("p");
    const seen: string[] = [];
    const untyped = { retained: false } as unknown as { retained?: true };
    kit.hooks.add(
      "message.publish",
      "test",
      (m) => {
        seen.push(m.topic);
        return m;
      },
      0,
      untyped,
    );
    p.publish("t", "x").publish("r", "x", 0, { retain: true });
    expect(seen).toEqual(["t", "r"]);
  });
});
