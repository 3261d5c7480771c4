import { describe, expect, test } from "bun:test";
import type { AclStep } from "../../../../server/core/types.ts";
import { TestKit } from "../../../support/test_broker.ts";

test("a filter that a hook has spoilt is refused, with a mountpoint as without one", () => {
  for (const mountpoint of ["", "m/"]) {
    const kit = new TestKit({ zone: { mountpoint } });
    kit.hooks.add("client.subscribe", "spoils", (_client, topics) => {
      for (const t of topics) if (t.filter === "bad") t.filter = "a/#/b";
    });
    const c = kit.connected("c", 5).subscribe("bad");
    expect(c.take()).toMatchObject([{ cmd: "suback", granted: [0x8f] }]);
    expect([c.subscribe("good").take()[0], kit.log.errors]).toMatchObject([{ cmd: "suback", granted: [0] }, []]);
  }
});

describe("of many filters in one packet", () => {
  /** Somebody outside who is asked about each; `asked` are those whose answer is awaited. */
  function outside() {
    const kit = new TestKit();
    const asked = new Map<string, (step: AclStep) => void>();
    kit.hooks.add("client.check_acl", "outside", (_client, _action, topic) =>
      topic.startsWith("local/") ? { verdict: "allow" } : new Promise<AclStep>((done) => asked.set(topic, done)),
    );
    const c = kit.connected("c", 4);
    const subscribe = (topics: string[]): void =>
      void c.send({ cmd: "subscribe", messageId: 7, subscriptions: topics.map((topic) => ({ topic, qos: 0 as const })) });
    const settle = async (): Promise<void> => {
      for (let i = 0; i < 10; i++) await Promise.resolve();
      kit.settle();
    };
    const answer = (topic: string, verdict: "allow" | "deny"): void => {
      const done = asked.get(topic);
      asked.delete(topic);
      done?.({ verdict });
    };
    return { kit, c, asked, subscribe, settle, answer };
  }

  test("a few questions are under way at a time, and each filter gets its own answer", async () => {
    const { c, asked, subscribe, settle, answer } = outside();
    const topics = Array.from({ length: 700 }, (_, i) => (i % 3 === 0 ? `local/${i}` : `far/${i}`));
    subscribe(topics);
    let most = 0;
    for (await settle(); asked.size > 0; await settle()) {
      most = Math.max(most, asked.size);
      // Whoever was asked last is answered first.
      const topic = [...asked.keys()].at(-1) as string;
      answer(topic, Number(topic.split("/")[1]) % 2 === 0 ? "allow" : "deny");
    }
    expect(most).toBe(8);
    const granted = topics.map((topic, i) => (topic.startsWith("local/") || i % 2 === 0 ? 0 : 0x80));
    expect(c.take()).toMatchObject([{ cmd: "suback", granted }]);
  });

  test("those that can be answered at once are, all together", () => {
    const { c, subscribe } = outside();
    subscribe(Array.from({ length: 400 }, (_, i) => `local/${i}`));
    expect(c.take()).toMatchObject([{ cmd: "suback", granted: Array.from({ length: 400 }, () => 0) }]);
  });

  test("of a client that has been sent away nobody is asked any more", async () => {
    const { c, asked, subscribe, settle, answer } = outside();
    subscribe(Array.from({ length: 100 }, (_, i) => `far/${i}`));
    c.channel.close(0x98, "kicked");
    expect(asked.size).toBe(8);
    for (const topic of [...asked.keys()]) answer(topic, "allow");
    await settle();
    expect([...asked.keys()]).toEqual([]);
  });
});
