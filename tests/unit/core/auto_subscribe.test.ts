import { describe, expect, test } from "bun:test";
import type { NodeConfig } from "../../../server/config/types.ts";
import { installAutoSubscribe, topicFor } from "../../../server/core/auto_subscribe.ts";
import { Hooks } from "../../../server/core/hooks.ts";
import { aClient, silentLog } from "../../support/access.ts";

describe("topics for a client", () => {
  test.each([
    ["$client/%c", "dev", "joe", "$client/dev"],
    ["$user/%u", "dev", "joe", "$user/joe"],
    ["all/news", "dev", null, "all/news"],
    ["in/%c/#", "dev", null, "in/dev/#"],
    ["$user/%u", "dev", null, null],
    ["$client/%c", "#", "joe", null],
    ["$client/%c", "a+", "joe", null],
    ["$user/%u", "dev", "x/#", null],
    ["x%c", "dev", "joe", "x%c"],
    ["$share/g/%c", "dev", "joe", "$share/g/dev"],
    ["$share/%c", "dev", "joe", null],
    ["a/#/%c", "dev", "joe", null],
  ])("%s for %p/%p is %p", (template, clientId, username, expected) => {
    expect(topicFor(template, { clientId, username })).toBe(expected);
  });
});

describe("on the hook", () => {
  test("subscribes after connecting, with the QoS of the configuration", () => {
    const hooks = new Hooks(silentLog);
    const made: unknown[] = [];
    const node: Pick<NodeConfig, "autoSubscribe"> = {
      autoSubscribe: [
        { topic: "$client/%c", qos: 1 },
        { topic: "$user/%u", qos: 2 },
      ],
    };
    installAutoSubscribe(hooks, node, (id, filter, o) => made.push([id, filter, o.qos, o.rh]));
    hooks.run("client.connected", aClient({ clientId: "dev" }), 0);
    hooks.run("client.connected", aClient({ clientId: "two", username: null }), 0);
    expect(made).toEqual([
      ["dev", "$client/dev", 1, 1],
      ["dev", "$user/joe", 2, 1],
      ["two", "$client/two", 1, 1],
    ]);
  });

  test("comes behind what plugins hang there, unless they ask for a priority of -100 or less", () => {
    const hooks = new Hooks(silentLog);
    const calls: string[] = [];
    installAutoSubscribe(hooks, { autoSubscribe: [{ topic: "t", qos: 0 }] }, () => calls.push("subscribed"));
    for (const priority of [-100, -99, 0]) hooks.add("client.connected", `${priority}`, () => calls.push(`${priority}`), priority);
    hooks.run("client.connected", aClient({}), 0);
    expect(calls).toEqual(["0", "-99", "subscribed", "-100"]);
  });

  test("off is free; a change is taken over by refresh", () => {
    const hooks = new Hooks(silentLog);
    const node: { autoSubscribe: NodeConfig["autoSubscribe"] } = { autoSubscribe: [] };
    const installed = installAutoSubscribe(hooks, node, () => {});
    expect(hooks.at["client.connected"]).toHaveLength(0);
    node.autoSubscribe = [{ topic: "a", qos: 0 }];
    installed.refresh();
    installed.refresh();
    expect(hooks.at["client.connected"]).toHaveLength(1);
    installed.remove();
    expect(hooks.at["client.connected"]).toHaveLength(0);
  });
});
