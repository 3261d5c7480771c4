import { describe, expect, test } from "bun:test";
import { Message } from "../../../server/core/message.ts";
import { TestKit } from "../../support/test_broker.ts";

const options = { qos: 0, nl: false, rap: false, rh: 0, subId: 0 } as const;

describe("a virtual client and a real one of the same id", () => {
  for (const first of ["virtual", "real"] as const) {
    test(`${first} first: neither is in the other's way`, () => {
      const kit = new TestKit();
      const got: string[] = [];
      const hooks: unknown[] = [];
      for (const point of ["session.unsubscribed", "session.terminated"] as const)
        kit.hooks.add(point, "test", (id: string, x: string) => hooks.push([point, id, x]));
      const attach = () => {
        const client = kit.broker.attach("same", (m) => got.push(m.payload.length.toString()));
        client.subscribe("t", { ...options, nl: true });
        client.subscribe("u", options);
        return client;
      };
      const early = first === "virtual" ? attach() : null;
      const real = kit.client(5).connect("same");
      expect(real.take()).toMatchObject([{ cmd: "connack", reasonCode: 0, sessionPresent: false }]);
      real.subscribe("t").take();
      const client = early ?? attach();
      real.publish("t", "xx");
      kit.connected("p").publish("t", "xxx");
      // No Local is about one's own messages, and those of the real client are not the virtual one's.
      expect(got).toEqual(["2", "3"]);
      expect(real.messages().map((m) => m.payload)).toEqual(["xx", "xxx"]);
      client.unsubscribe("u");
      client.close();
      expect(hooks).toEqual([]);
      expect(kit.metrics.sessionsTerminated).toBe(0);
      kit.connected("q").publish("t", "x");
      expect(real.messages()).toHaveLength(1);
      expect(kit.broker.kick("same")).toBe(true);
      expect(hooks).toEqual([["session.terminated", "same", "kicked"]]);
    });
  }

  test("two virtual ones of one id are two", () => {
    const kit = new TestKit();
    const got: number[] = [];
    const clients = [1, 2].map((n) => kit.broker.attach("v", () => got.push(n)));
    for (const c of clients) c.subscribe("t", options);
    kit.connected("p").publish("t", "x");
    clients[0]?.close();
    kit.connected("q").publish("t", "x");
    expect(got).toEqual([1, 2, 2]);
  });

  test("a handler that throws is told of in the log and costs nobody else his message", () => {
    const kit = new TestKit();
    kit.broker
      .attach("v", () => {
        throw new Error("no");
      })
      .subscribe("t", options);
    const c = kit.connected("c");
    c.subscribe("t").take();
    kit.connected("p").publish("t", "x");
    expect(c.messages()).toHaveLength(1);
    expect(kit.log.errors).toHaveLength(1);
  });
});

test("counts as one receiver of a message", () => {
  const kit = new TestKit();
  const client = kit.broker.attach("v", () => {});
  client.subscribe("t", options);
  kit.connected("c").subscribe("t");
  const m = new Message("t", Buffer.from("x"), 1, false, "", null, kit.broker.now, 0, null);
  expect(kit.broker.publish(m)).toBe(2);
});
