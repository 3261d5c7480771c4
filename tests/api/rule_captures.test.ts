/** Captures of real messages and events, for somebody who writes a rule: of everything that rules can look at, with all its columns. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { MqttClient } from "mqtt";
import type { CaptureRow, RuleEventRow, RuleTestResult } from "../../server/api/contract.ts";
import { until } from "../support/until.ts";
import { NODE, TestNode } from "./support/node.ts";

let node: TestNode;
let events: RuleEventRow[];
/** They are there all the time; the reader hears cap/# with QoS 1. */
let speaker: MqttClient;
let reader: MqttClient;
const JOE = { username: "joe", password: "x" };
beforeAll(async () => {
  node = await TestNode.start();
  events = await node.get<RuleEventRow[]>("/rule_events");
  speaker = await node.mqtt("speaker", JOE);
  reader = await node.mqtt("reader", { username: "ann", password: "x" });
  await reader.subscribeAsync("cap/#", { qos: 1 });
});
/** What the reader had to acknowledge is acknowledged before the next capture: with the second answer that is known. */
afterEach(async () => {
  for (let i = 0; i < 2; i++) await reader.unsubscribeAsync("nothing");
});
afterAll(() => node.stop());

interface Case {
  /** What is captured; by default as FROM names the event. */
  topic?: string;
  happens(): Promise<unknown>;
  columns: Record<string, unknown>;
  /** Columns that it does not have here. */
  without?: readonly string[];
  /** Others may come of themselves meanwhile; by default there are none. */
  isIt?(columns: Record<string, unknown>): boolean;
}

const say = (topic: string, payload = "hello"): Promise<unknown> => speaker.publishAsync(topic, payload, { qos: 1 });
const alarms = () => node.node.broker.alarms;
const SAID = { topic: "cap/1", payload: "hello", qos: 1, retain: false, flags: { retain: false, dup: false }, pub_props: {} };
const who = (clientid: string, username: string | null = "joe") => ({ client_id: clientid, clientid, username, node: NODE });
const HERE = { peerhost: "127.0.0.1" };
const HEARD = { ...who("reader", "ann"), ...HERE, from_clientid: "speaker", from_username: "joe" };

const CASES: Record<string, Case> = {
  "message.publish": {
    topic: "cap/+",
    async happens() {
      await say("other/1");
      await say("cap/1");
    },
    columns: { ...SAID, ...who("speaker"), ...HERE, id: expect.stringMatching(/^[0-9A-F]{32}$/) },
  },
  "message.deliver": { happens: () => say("cap/1"), columns: { ...SAID, ...HEARD, event: "message.delivered" } },
  "message.acked": { happens: () => say("cap/1"), columns: { ...SAID, ...HEARD } },
  "message.dropped": {
    happens: () => say("nobody/1"),
    columns: { ...SAID, topic: "nobody/1", ...who("speaker"), ...HERE, reason: "no_subscribers" },
  },
  "delivery.dropped": {
    async happens() {
      const small = await node.mqtt("small", { ...JOE, protocolVersion: 5, properties: { maximumPacketSize: 500 } });
      await small.subscribeAsync("big/#");
      await say("big/1", "x".repeat(1000));
    },
    columns: { ...who("small"), ...HERE, from_clientid: "speaker", topic: "big/1", reason: "too_large", event: "message.dropped" },
  },
  "client.connected": {
    happens: () => node.mqtt("comes", { ...JOE, keepalive: 77 }),
    columns: { ...who("comes"), ...HERE, connack: 0, clean_start: true, keepalive: 77, proto_name: "MQTT", proto_ver: 4 },
  },
  "client.disconnected": {
    happens: async () => (await node.mqtt("goes", JOE)).endAsync(),
    columns: { ...who("goes"), ...HERE, reason: "normal", reason_code: "normal", proto_ver: 4 },
  },
  "client.subscribe": {
    happens: () => speaker.subscribeAsync(["sub/1", "sub/2"], { qos: 1 }),
    columns: {
      ...who("speaker"),
      ...HERE,
      topic: "sub/1",
      qos: 1,
      topic_filters: [expect.objectContaining({ topic: "sub/1", qos: 1 }), expect.objectContaining({ topic: "sub/2", qos: 1 })],
    },
  },
  "client.unsubscribe": {
    happens: () => speaker.unsubscribeAsync(["sub/1", "sub/2"]),
    columns: { ...who("speaker"), ...HERE, topic: "sub/1", topic_filters: ["sub/1", "sub/2"] },
  },
  "session.created": { happens: () => node.mqtt("new", JOE), columns: { ...who("new"), ...HERE } },
  "session.resumed": {
    async happens() {
      const kept = { ...JOE, clean: false };
      await (await node.mqtt("kept", kept)).endAsync();
      await node.mqtt("kept", kept);
    },
    columns: { ...who("kept"), ...HERE },
  },
  "session.subscribed": {
    happens: () => speaker.subscribeAsync("sub/3", { qos: 2 }),
    columns: { ...who("speaker"), ...HERE, topic: "sub/3", qos: 2, nl: 0, rap: 0, rh: 0, is_new: true },
  },
  "session.unsubscribed": {
    happens: () => speaker.unsubscribeAsync("sub/3"),
    columns: { ...who("speaker"), ...HERE, topic: "sub/3" },
  },
  "session.terminated": {
    happens: async () => (await node.mqtt("ends", JOE)).endAsync(),
    // Nobody is connected any more, and a session alone does not know who had been.
    columns: { ...who("ends", null), reason: "normal" },
    without: ["peerhost"],
  },
  "alarm.activated": {
    async happens() {
      alarms().set("cap_text", "something is wrong");
      // One that stands, and gets another text, is no other one.
      alarms().set("cap_text", "it is worse");
    },
    columns: { name: "cap_text", message: "something is wrong", details: {}, activated_at: expect.any(Number), node: NODE },
    isIt: ({ name }) => name === "cap_text",
  },
  "alarm.deactivated": {
    async happens() {
      const details = { severity: "warning", title: "disk", summary: "it is full" } as const;
      alarms().set("cap_details", details);
      alarms().clear("cap_details");
    },
    columns: {
      name: "cap_details",
      message: "disk: it is full",
      details: { severity: "warning", title: "disk", summary: "it is full" },
      deactivated_at: expect.any(Number),
    },
    isIt: ({ name }) => name === "cap_details",
  },
};

test("each event there is has a case here", () => {
  expect(Object.keys(CASES).sort()).toEqual(events.map(({ event }) => event).sort());
});

for (const [name, { topic, happens, columns, without = [], isIt = () => true }] of Object.entries(CASES))
  test(`${name} is captured with its columns, which a test takes as they are`, async () => {
    const event = events.find((e) => e.event === name) as RuleEventRow;
    const begun = await node.data<CaptureRow>("POST", "/rules/capture", { body: { topic: topic ?? event.topic } });
    expect(begun).toMatchObject({ topic: topic ?? event.topic, running: true, seen: 0, samples: [] });
    expect(begun.until_ms - begun.started_at_ms).toBe(30_000);
    const taken = (): Promise<CaptureRow> => node.get<CaptureRow>("/rules/capture");
    await happens();
    const those = ({ samples }: CaptureRow): CaptureRow["samples"] => samples.filter((s) => isIt(s.columns));
    await until(async () => those(await taken()).length > 0, "it is taken");
    const row = await taken();
    const [sample] = those(row) as [CaptureRow["samples"][0]];
    expect([those(row).length, row.seen - row.samples.length, sample.event]).toEqual([1, 0, name]);
    expect(sample.at_ms).toBeWithin(begun.started_at_ms, begun.until_ms);
    expect(Object.keys(sample.columns).sort()).toEqual(event.columns.filter((c) => !without.includes(c)).sort());
    // The runtime puts matchers that fit in the place of what it has compared.
    expect(structuredClone(sample.columns)).toMatchObject({ event: name, ...columns });

    const body = { rawsql: `SELECT * FROM "${topic ?? event.topic}"`, sample: sample.columns };
    const tried = await node.data<RuleTestResult>("POST", "/rules/test", { body });
    expect(tried).toMatchObject({ event: name, error: null, rows: [sample.columns] });
  });
