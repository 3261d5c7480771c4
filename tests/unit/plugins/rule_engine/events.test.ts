import { describe, expect, test } from "bun:test";
import { actionIsFor, EVENTS, type EventName, eventOf, SourceError, sourcesOf } from "../../../../server/plugins/rule_engine/events.ts";

describe("FROM and `for` together", () => {
  const of = (from: string[], wanted: string | null): [string[], string[]] => {
    const { events, filters } = sourcesOf(from, wanted);
    return [events.map((e) => e.name), filters];
  };

  test.each<[from: string[], wanted: string | null, events: string[], filters: string[]]>([
    [["t/#"], "message.publish", ["message.publish"], ["t/#"]],
    [["t/#", "a/+"], null, ["message.publish"], ["t/#", "a/+"]],
    [[], "message.publish", ["message.publish"], ["#"]],
    [[], "client.connected", ["client.connected"], []],
    // 3.1: FROM is for messages only.
    [["t/#"], "client.connected", ["client.connected"], []],
    [["$events/client_connected"], null, ["client.connected"], []],
    [["$events/client_connected"], "client.connected", ["client.connected"], []],
    [["$events/message_delivered"], "message.delivered", ["message.deliver"], []],
    [["client.disconnected"], null, ["client.disconnected"], []],
    [["$events/message_dropped"], "message.dropped", ["message.dropped"], []],
    [["$events/message_dropped", "message.dropped"], null, ["message.dropped"], []],
    // 3.2: the hook's name is all messages; 3.1: it is a topic.
    [["message.publish"], null, ["message.publish"], ["#"]],
    [["message.publish"], "message.publish", ["message.publish"], ["message.publish"]],
    [["t/1", "$events/session_subscribed"], null, ["session.subscribed", "message.publish"], ["t/1"]],
    [["t/1", "$events/session_subscribed"], "message.publish", ["message.publish", "session.subscribed"], ["t/1"]],
  ])("%j for %s", (from, wanted, events, filters) => {
    expect(of(from, wanted)).toEqual([events, filters]);
  });

  test.each<[from: string[], wanted: string | null, words: string]>([
    [[], null, "nothing says what the rule looks at"],
    [["$events/client_conected"], null, "did you mean $events/client_connected?"],
    [["t"], "client.conected", "did you mean client.connected?"],
    [["$events/client_connected"], "client.disconnected", "`for` is client.disconnected, but FROM names client.connected"],
  ])("%j for %s is refused", (from, wanted, words) => {
    expect(() => sourcesOf(from, wanted)).toThrow(words);
    expect(() => sourcesOf(from, wanted)).toThrow(SourceError);
  });
});

test("names are different ones, and every sample has only columns of its event", () => {
  const names = EVENTS.flatMap((e) => [e.name, ...e.also]);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(EVENTS.map((e) => e.topic)).size).toBe(EVENTS.length);
  for (const event of EVENTS) {
    expect(new Set(event.columns).size).toBe(event.columns.length);
    const known = [...event.columns, "peername"];
    expect(Object.keys(event.sample).filter((name) => !known.includes(name))).toEqual([]);
  }
  for (const hook of ["client.connected", "client.disconnected", "client.subscribe", "client.unsubscribe"])
    expect(eventOf(hook)).toBeDefined();
  for (const hook of ["message.publish", "message.dropped", "message.deliver", "message.acked"]) expect(eventOf(hook)).toBeDefined();
});

test.each<[word: string, name: EventName]>([
  ["client.connected", "client.connected"],
  ["client.disconnected", "client.disconnected"],
  ["client.subscribe", "client.subscribe"],
  ["client.unsubscribe", "client.unsubscribe"],
  ["session.created", "session.created"],
  ["session.resumed", "session.resumed"],
  ["session.subscribed", "session.subscribed"],
  ["session.unsubscribe", "session.unsubscribed"],
  ["session.terminated", "session.terminated"],
  ["message.deliver", "message.deliver"],
  ["message.acked", "message.acked"],
  ["message.dropped", "message.dropped"],
])("%s, which the event page of 3.1's dashboard offers with SQL for any topic, is %s", (word, name) => {
  const { events, filters } = sourcesOf(["#"], word);
  expect([events.map((e) => e.name), filters]).toEqual([[name], []]);
});

test("classes of hooks, as 3.1 expands them", () => {
  expect(actionIsFor("$any", "$messages")).toBe(true);
  expect(actionIsFor("$messages", "message.publish")).toBe(true);
  expect(actionIsFor("$messages", "$events")).toBe(false);
  expect(actionIsFor("$events", "message.acked")).toBe(true);
  expect(actionIsFor("$events", "message.publish")).toBe(false);
  expect(actionIsFor("$any", "no.hook")).toBeNull();
});
