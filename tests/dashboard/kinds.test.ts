/** What the executable says in English of kinds and events is in the dashboard's Chinese, and nothing else is. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { kinds as translations } from "../../dashboard/src/i18n/zh/kinds.ts";
import { translated } from "../../dashboard/src/lib/kind_texts.ts";
import type { Specs } from "../../dashboard/src/lib/params.ts";
import type { ActionKindRow, ResourceTypeRow, RuleEventRow } from "../../server/api/contract.ts";
import { NODE, TestNode } from "../api/support/node.ts";

/** Names are the same in every language. */
const NAMES = new Set("MySQL PostgreSQL Redis MongoDB Kafka NATS InfluxDB WebHook JetStream TLS SQL URL QoS".split(" "));
/** Plugins that bring kinds, with the one that runs at first. */
const BRINGERS = ["rule_engine", "web_hook"];

const textsIn = (specs: Specs): string[] =>
  Object.values(specs).flatMap(({ title, description, schema = {}, items }) => [
    title,
    description,
    ...textsIn(schema),
    ...(items ? textsIn({ items }) : []),
  ]);

test("every title and description of actions, resources, parameters and events", async () => {
  const offering = [...new Bun.Glob("server/plugins/**/*.ts").scanSync()].filter((f) => /ctx\.offer\(/.test(readFileSync(f, "utf8")));
  expect(new Set(offering.map((f) => f.split("/")[2] ?? ""))).toEqual(new Set(BRINGERS));
  const node = await TestNode.start();
  try {
    await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_web_hook/load`);
    const all = [...(await node.get<ActionKindRow[]>("/actions")), ...(await node.get<ResourceTypeRow[]>("/resource_types"))];
    expect(all.map((kind) => kind.name)).toEqual(expect.arrayContaining(["data_to_kafka", "web_hook:event_action", "file"]));
    const ofKinds = all.flatMap((kind) => [kind.title, kind.description, ...textsIn(kind.params)]);
    const ofEvents = (await node.get<RuleEventRow[]>("/rule_events")).flatMap((e) => [e.title.en, e.description.en]);
    const said = new Set([...ofKinds, ...ofEvents].filter((text) => text !== ""));
    expect([...said].filter((text) => translations[text] === undefined && !NAMES.has(text))).toEqual([]);
    expect(Object.keys(translations).filter((text) => !said.has(text))).toEqual([]);
  } finally {
    await node.stop();
  }
});

test("a kind is translated through and through; what nobody has translated stays", () => {
  const about = { title: "Server", description: "of its own" };
  const kind = {
    name: "x",
    title: "File",
    description: "Server",
    params: {
      a: { type: "object", schema: { b: { type: "string", ...about } }, ...about },
      c: { type: "array", items: { type: "string", ...about }, ...about },
    },
  } as const;
  const inChinese = translated(kind, (text) => translations[text] ?? text);
  const there = { title: "服务器", description: "of its own" };
  expect(inChinese).toEqual({
    name: "x",
    title: "文件",
    description: "服务器",
    params: {
      a: { type: "object", schema: { b: { type: "string", ...there } }, ...there },
      c: { type: "array", items: { type: "string", ...there }, ...there },
    },
  } as unknown as typeof inChinese);
});
