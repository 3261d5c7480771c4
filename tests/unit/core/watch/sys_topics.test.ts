import { describe, expect, test } from "bun:test";
import type { NodeConfig } from "../../../../server/config/types.ts";
import { Hooks } from "../../../../server/core/hooks.ts";
import type { Message } from "../../../../server/core/message.ts";
import { Metrics } from "../../../../server/core/watch/metrics.ts";
import { Stats } from "../../../../server/core/watch/stats.ts";
import { SysTopics } from "../../../../server/core/watch/sys_topics.ts";
import { formatLocalTime } from "../../../../server/lib/time_format.ts";
import { aClient, FakeClock, silentLog } from "../../../support/access.ts";
import { TestKit } from "../../../support/test_broker.ts";
import { testNode } from "../../../support/zone.ts";

const PREFIX = "$SYS/brokers/emqx@127.0.0.1/";

function setUp(changes: Partial<NodeConfig> = {}) {
  const node = testNode(changes);
  const clock = new FakeClock();
  const metrics = new Metrics();
  const stats = new Stats();
  const hooks = new Hooks(silentLog);
  const told: Message[] = [];
  const nodes = ["emqx@127.0.0.1"];
  const unheard = new Set<string>();
  const listening = { value: true };
  const sys = new SysTopics({
    node,
    clock,
    metrics,
    stats,
    sysdescr: "EMQ X Broker",
    nodes: () => nodes,
    publish: (m) => void told.push(m),
    listening: () => listening.value,
    heard: (topic) => !unheard.has(topic),
  });
  const text = (m: Message | undefined): string => new TextDecoder().decode(m?.payload);
  const find = (topic: string): Message | undefined => told.findLast((m) => m.topic === topic);
  return { node, clock, metrics, stats, hooks, told, nodes, unheard, listening, sys, text, find };
}

describe("$SYS", () => {
  test("the first tick tells everything; three topics are retained", () => {
    const { sys, told, find, text, clock, metrics } = setUp();
    metrics.connect = 5;
    clock.forward(12_000);
    sys.tick();
    expect(told.filter((m) => m.retain).map((m) => [m.topic, text(m)])).toEqual([
      [`${PREFIX}version`, "v3.1.0"],
      [`${PREFIX}sysdescr`, "EMQ X Broker"],
      ["$SYS/brokers", "emqx@127.0.0.1"],
    ]);
    expect(text(find(`${PREFIX}uptime`))).toBe("12 seconds");
    expect(text(find(`${PREFIX}datetime`))).toBe(formatLocalTime(clock.ms));
    expect(text(find(`${PREFIX}metrics/packets/connect`))).toBe("5");
    expect(text(find(`${PREFIX}stats/connections/max`))).toBe("0");
    expect(told.filter((m) => m.topic.startsWith(`${PREFIX}metrics/`))).toHaveLength(43);
    expect(told.filter((m) => m.topic.startsWith(`${PREFIX}stats/`))).toHaveLength(20);
    expect(told.every((m) => m.from === "" && m.qos === 0)).toBe(true);
  });

  test("uptime every second, the rest every interval", () => {
    const { sys, told, clock, nodes, find, text } = setUp();
    sys.tick();
    told.length = 0;
    for (let i = 0; i < 590; i++) {
      clock.forward(100);
      sys.tick();
    }
    expect(told.map((m) => m.topic).filter((t) => t.endsWith("/uptime"))).toHaveLength(59);
    expect(find("$SYS/brokers")).toBeUndefined();
    nodes.push("emqx@10.0.0.2");
    clock.forward(1000);
    sys.tick();
    expect(text(find("$SYS/brokers"))).toBe("emqx@127.0.0.1,emqx@10.0.0.2");
    expect(sys.uptime).toBe("1 minutes, 0 seconds");
  });

  test("a changed interval counts at once; 0 is off", () => {
    const { sys, told, clock, node, find } = setUp();
    sys.tick();
    told.length = 0;
    node.sysIntervalMs = 5000;
    clock.forward(5000);
    sys.tick();
    expect(find("$SYS/brokers")).toBeDefined();
    told.length = 0;
    node.sysIntervalMs = 0;
    clock.forward(100_000);
    sys.tick();
    expect(told).toEqual([]);
  });
});

describe("presence", () => {
  test("of a user name that is a token only the beginning is told", () => {
    const { sys, hooks, told, text } = setUp();
    sys.watchClients(hooks);
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const client = aClient({ username: `${part({ alg: "HS256" })}.${part({ sub: "joe" })}.c2ln` });
    hooks.run("client.connected", client, 0);
    hooks.run("client.disconnected", client, "normal");
    expect(told.map((m) => (JSON.parse(text(m)) as { username: string }).username)).toEqual(["eyJhbGci… (a token)", "eyJhbGci… (a token)"]);
  });

  test("a client comes and goes", () => {
    const { sys, hooks, told, text, clock } = setUp();
    sys.watchClients(hooks);
    hooks.run("client.connected", aClient({ clientId: "dev1" }), 0);
    hooks.run("client.disconnected", aClient({ clientId: "dev1", username: null }), "keepalive_timeout");
    const ts = Math.floor(clock.ms / 1000);
    expect(told.map((m) => [m.topic, m.qos, m.retain, JSON.parse(text(m))] as unknown[])).toEqual([
      [
        `${PREFIX}clients/dev1/connected`,
        1,
        false,
        {
          clean_start: true,
          proto_ver: 4,
          proto_name: "MQTT",
          keepalive: 60,
          clientid: "dev1",
          username: "joe",
          ipaddress: "10.0.0.1",
          connack: 0,
          ts,
        },
      ],
      [`${PREFIX}clients/dev1/disconnected`, 1, false, { clientid: "dev1", username: "undefined", reason: "keepalive_timeout", ts }],
    ]);
  });

  test("a coming that nobody hears of is counted, and not made", () => {
    const { sys, hooks, told, unheard, metrics } = setUp();
    sys.watchClients(hooks);
    unheard.add(`${PREFIX}clients/dev1/connected`);
    hooks.run("client.connected", aClient({ clientId: "dev1" }), 0);
    expect(told).toEqual([]);
    expect(metrics.internalPublished).toBe(1);
    hooks.run("client.disconnected", aClient({ clientId: "dev1" }), "normal");
    expect(told.map((m) => m.topic)).toEqual([`${PREFIX}clients/dev1/disconnected`]);
  });

  test("while nobody listens at all it is counted too, and no topic is made of it", () => {
    const { sys, hooks, told, listening, metrics } = setUp();
    sys.watchClients(hooks);
    listening.value = false;
    hooks.run("client.connected", aClient(), 0);
    hooks.run("client.disconnected", aClient(), "normal");
    expect([told, metrics.internalPublished]).toEqual([[], 2]);
  });

  test("somebody listens who subscribes below $SYS, in a group too, or sees every message or those of a prefix that goes there", () => {
    const kit = new TestKit();
    const { broker } = kit;
    kit.connected("c").subscribe("#").subscribe("+/brokers/#");
    expect(broker.sysHeard).toBe(false);
    for (const filter of ["$SYS/#", "$SYS/brokers", "$share/g/$SYS/brokers/+/clients/#"]) {
      broker.subscribe("c", filter, { qos: 0, nl: false, rap: false, rh: 0, subId: 0 });
      expect(broker.sysHeard).toBe(true);
      broker.unsubscribe("c", filter);
      expect(broker.sysHeard).toBe(false);
    }
    for (const [prefix, listens] of [
      ["$delayed/", false],
      ["$SYS/brokers/x", true],
      ["$S", true],
      ["", true],
    ] as const) {
      const off = broker.hooks.add("message.publish", "p", (m) => m, 0, { prefix });
      expect(broker.sysHeard).toBe(listens);
      off();
    }
    const off = broker.hooks.add("message.publish", "p", (m) => m);
    expect(broker.sysHeard).toBe(true);
    off();
    expect(broker.sysHeard).toBe(false);
  });

  test("client ids with wildcards make a proper topic, the payload has the true one", () => {
    const { sys, hooks, told, text } = setUp();
    sys.watchClients(hooks);
    hooks.run("client.connected", aClient({ clientId: "a/#+" }), 0);
    expect(told[0]?.topic).toBe(`${PREFIX}clients/a/__/connected`);
    expect(JSON.parse(text(told[0])).clientid).toBe("a/#+");
  });

  test("can be turned off and on, and taken back", () => {
    const { sys, hooks, told, node } = setUp({ presence: false });
    const off = sys.watchClients(hooks);
    hooks.run("client.connected", aClient(), 0);
    expect(told).toEqual([]);
    Object.assign(node, { presence: true, presenceQos: 0 });
    hooks.run("client.connected", aClient(), 0);
    expect(told.map((m) => m.qos)).toEqual([0]);
    off();
    hooks.run("client.disconnected", aClient(), "normal");
    expect(told).toHaveLength(1);
  });
});
