import { expect, test } from "bun:test";
import { AliasesIn, AliasesOut } from "../../../server/core/aliases.ts";
import { TestKit } from "../../support/test_broker.ts";

function take(a: AliasesOut, topic: string): number {
  const alias = a.free(topic);
  if (alias > 0) a.taken(topic);
  return alias;
}

test("a client's first topics have aliases, no more than it takes [MQTT-3.3.2-8]", () => {
  const a = new AliasesOut(2);
  expect([take(a, "a"), take(a, "b"), take(a, "c")]).toEqual([1, 2, 0]);
  expect([a.get("a"), a.get("b"), a.get("c")]).toEqual([1, 2, undefined]);
});

test("… nor than the broker keeps: of topics, and of characters", () => {
  const many = new AliasesOut(65_535);
  const given = Array.from({ length: 1000 }, (_, i) => take(many, String(i))).filter((n) => n > 0);
  expect([given.length, given.at(-1)]).toEqual([256, 256]);
  const long = new AliasesOut(65_535);
  expect(Array.from({ length: 5 }, (_, i) => take(long, `${i}`.repeat(5000)))).toEqual([1, 2, 3, 0, 0]);
  expect(take(long, "short")).toBe(4);
  const full = new AliasesOut(65_535);
  expect([take(full, "x".repeat(16 * 1024 - 1)), take(full, "yy"), take(full, "y"), take(full, "")]).toEqual([1, 0, 2, 3]);
});

test("a client that takes 65,535 aliases gets every message, the first topics by alias", () => {
  const kit = new TestKit();
  const s = kit.connected("s", 5, { properties: { topicAliasMaximum: 65_535 } }).subscribe("#");
  s.take();
  const p = kit.connected("p");
  for (let round = 0; round < 2; round++) for (let i = 0; i < 300; i++) p.publish(`t/${i}`, String(i));
  const sent = s.messages();
  expect(sent.map((m) => m.payload)).toEqual([...Array(300).keys(), ...Array(300).keys()].map(String));
  expect(sent.filter((m) => m.properties?.topicAlias !== undefined)).toHaveLength(2 * 256);
  expect(sent.slice(300).filter((m) => m.topic === "")).toHaveLength(256);
});

test("topics that a client gave aliases: a new one takes the place of the old one, all together have a bound", () => {
  const a = new AliasesIn();
  const long = "x".repeat(60_000);
  for (let i = 1; i <= 17; i++) expect(a.set(i, long)).toBe(true);
  expect(a.set(18, long)).toBe(false);
  expect([a.get(18), a.set(17, "short"), a.get(17), a.set(18, long)]).toEqual([undefined, true, "short", true]);
});

test("a mebibyte of characters, and not one more", () => {
  const a = new AliasesIn();
  expect([a.set(1, "x".repeat(1024 * 1024)), a.set(2, "y"), a.get(2)]).toEqual([true, false, undefined]);
});

test("beyond it the client has to go: Quota exceeded", () => {
  const kit = new TestKit({ zone: { maxTopicAlias: 100 } });
  const p = kit.connected("p", 5);
  for (let i = 1; i <= 18; i++) p.publish(String(i).padEnd(60_000, "x"), "", 0, { properties: { topicAlias: i } });
  expect(p.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x97 }]);
});
