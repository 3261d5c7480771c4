/** Every list, by every filter and every order it has: against what the rows themselves say. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FILTERS } from "../../server/admin/filters.ts";
import type { RuleRow } from "../../server/api/contract.ts";
import { NODE, TestNode } from "./support/node.ts";

type Row = Record<string, unknown>;
type Name = keyof typeof FILTERS;

/** Fields that filters name otherwise. */
const FIELD: Readonly<Record<string, string>> = { ip_address: "ipaddress" };

let node: TestNode;
const rows = new Map<Name, Row[]>();

beforeAll(async () => {
  // The $SYS topics would come into the list of retained messages while it is looked at.
  node = await TestNode.start({ "broker.sys_interval": "0s" });
  await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_delayed_publish/load`);
  for (const [id, options] of Object.entries({
    "list-A": { username: "Ann" },
    "list-b": { username: "bob", clean: false, protocolVersion: 5 as const },
    other: { keepalive: 20 },
    "list-D": { username: "Ann", clean: false },
  })) {
    const client = await node.mqtt(id, options);
    await client.subscribeAsync("shared/by/all", { qos: id === "other" ? 2 : 1 });
    await client.subscribeAsync([`own/${id}`, `$share/g/work/${id}`]);
    if (id === "list-D") await client.endAsync();
  }
  for (const topic of ["list/One", "list/two", "three"]) {
    const body = { topic, payload: topic, qos: topic === "three" ? 1 : 0, retain: true, client_id: topic === "three" ? "sensor" : "Gauge" };
    await node.ask("POST", "/mqtt/publish", { body });
    await node.ask("POST", "/mqtt/publish", { body: { ...body, topic: `$delayed/3600/${topic}` } });
  }
  for (const body of [
    { who: "Evil", as: "client_id", reason: "Spam", by: "ann" },
    { who: "bad", as: "username", desc: "never again", by: "bob", until: 4102444800 },
    { who: "10.0.0.0/8", as: "ip_address", reason: "spam" },
  ])
    await node.ask("POST", "/banned", { body });
  for (const [at, name] of ["hot", "Cold", "hot too"].entries()) {
    const actions = at === 1 ? [] : [{ name: "built_in:inspect_action", params: {} }];
    const rawsql = `SELECT * FROM "list/${at}/#"${at === 2 ? ', "$events/client_connected"' : ""}`;
    await node.ask("POST", "/rules", { body: { name, rawsql, actions, enabled: at !== 1, description: `Number ${at}` } });
  }
  for (const name of Object.keys(FILTERS) as Name[]) rows.set(name, await node.get<Row[]>(`/${name}`));
});
afterAll(() => node.stop());

async function ask(name: Name, query: string): Promise<{ rows: Row[]; count: number }> {
  const { json } = await node.ask("GET", `/${name}?${query}`);
  expect(json?.code).toBe(0);
  return { rows: json?.data as Row[], count: json?.meta?.count ?? -1 };
}

/** A row without what changes between two looks at it. */
const key = (row: Row): string => [row.client_id, row.topic, row.who, row.id, row.share].map(String).join(" ");
const keys = (list: readonly Row[]): string[] => list.map(key);
const text = (row: Row, filter: string): string => (filter === "any" ? anyOf(row) : String(row[FIELD[filter] ?? filter]));
/** What is looked through for a rule. */
function anyOf(row: Row): string {
  const { id, name, topics, events, rawsql, description, actions } = row as unknown as RuleRow;
  return [id, name, ...topics, ...events, rawsql, description, ...actions.map((a) => a.name)].join("\n");
}

for (const name of Object.keys(FILTERS) as Name[]) {
  describe(name, () => {
    const all = (): Row[] => rows.get(name) ?? [];

    test("there is something to look for", () => expect(all().length).toBeGreaterThanOrEqual(3));

    for (const filter of FILTERS[name].exact) {
      test(`${filter}: the rows that have it, and their number`, async () => {
        for (const value of new Set(all().map((row) => text(row, filter)))) {
          const wanted = all().filter((row) => text(row, filter) === value);
          const found = await ask(name, `${filter}=${encodeURIComponent(value)}`);
          expect([keys(found.rows).sort(), found.count]).toEqual([keys(wanted).sort(), wanted.length]);
          // Not more than the page, but counted all the same.
          const page = await ask(name, `${filter}=${encodeURIComponent(value)}&_limit=1&_page=2`);
          expect([page.rows.length, page.count]).toEqual([Math.min(wanted.length - 1, 1), wanted.length]);
        }
        expect(await ask(name, `${filter}=nothing-has-this`)).toEqual({ rows: [], count: 0 });
      });
    }

    for (const filter of FILTERS[name].like) {
      test(`_like_${filter}: a part of it, whatever the case`, async () => {
        for (const value of new Set(all().map((row) => text(row, filter)))) {
          const part = value.slice(0, Math.max(2, value.length - 1)).toUpperCase();
          const wanted = all().filter((row) => text(row, filter).toUpperCase().includes(part));
          const found = await ask(name, `_like_${filter}=${encodeURIComponent(part)}`);
          expect([keys(found.rows).sort(), found.count]).toEqual([keys(wanted).sort(), wanted.length]);
        }
        expect((await ask(name, `_like_${filter}=nothing-has-this`)).count).toBe(0);
        // An empty part says nothing.
        expect((await ask(name, `_like_${filter}=`)).count).toBe(all().length);
      });
    }

    test("sorted by every field, both ways", async () => {
      for (const field of Object.keys(all()[0] as Row)) {
        const up = (await ask(name, `_sort=${field}`)).rows.map((row) => row[field] as string);
        const down = (await ask(name, `_sort=-${field}`)).rows.map((row) => row[field] as string);
        expect(up).toHaveLength(all().length);
        const sorted = [...up].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
        expect([field, up]).toEqual([field, sorted]);
        expect([field, down]).toEqual([field, sorted.toReversed()]);
      }
    });

    test("page by page: every row once, in the order of the whole", async () => {
      for (const query of ["", `_sort=-${FIELD[FILTERS[name].exact[0] ?? ""] ?? FILTERS[name].exact[0]}`]) {
        const expected = keys((await ask(name, query)).rows);
        const seen: string[] = [];
        for (let page = 1; page <= expected.length + 1; page++)
          seen.push(...keys((await ask(name, `${query}&_limit=1&_page=${page}`)).rows));
        expect(seen).toEqual(expected);
      }
    });
  });
}

test("management.max_row_limit is the length of a list that names none", async () => {
  const small = await TestNode.start({ "management.max_row_limit": "2" });
  try {
    for (const id of ["a", "b", "c"]) await small.mqtt(id);
    const rows = async (query: string): Promise<unknown[]> => {
      const { json } = await small.ask("GET", `/connections${query}`);
      return [((json?.data ?? []) as unknown[]).length, json?.meta];
    };
    expect(await rows("")).toEqual([2, { page: 1, limit: 2, count: 3 }]);
    expect(await rows("?_page=2")).toEqual([1, { page: 2, limit: 2, count: 3 }]);
    expect(await rows("?_limit=3")).toEqual([3, { page: 1, limit: 3, count: 3 }]);
  } finally {
    await small.stop();
  }
});
