/** Lists over tables of any size. */
import { describe, expect, test } from "bun:test";
import { AdminError } from "../../../server/admin/deps.ts";
import { fromIterable, list, listQuery, type Query, SKIP_STRIDE, type Table } from "../../../server/admin/query.ts";
import { restBetween, Slices, sortSliced } from "../../../server/admin/slices.ts";
import type { Broker } from "../../../server/core/broker.ts";

interface Item {
  id: number;
}
interface Row {
  id: number;
  name: string;
  odd: boolean;
}
const table: Table<Item, Row> = {
  fields: { id: (i) => i.id, name: (i) => `Name ${String(i.id).padStart(7, "0")}`, odd: (i) => i.id % 2 === 1 },
  aliases: { nick: "name" },
  exact: ["id", "name", "odd", "nick"],
  like: ["name"],
};
const mono = (): number => performance.now();

function items(n: number): () => Iterable<Item> {
  return function* () {
    for (let id = 0; id < n; id++) yield { id };
  };
}
const run = (n: number, query: Query, limit = 10) => list(table, fromIterable(items(n)), n, listQuery(query, table, limit), mono);
const ids = async (n: number, query: Query, limit?: number) => (await run(n, query, limit)).rows.map((r) => r.id);

describe("pages", () => {
  test("in the table's own order", async () => {
    expect(await run(25, { _page: "3" })).toEqual({
      rows: [20, 21, 22, 23, 24].map((id) => ({ id, name: `Name ${String(id).padStart(7, "0")}`, odd: id % 2 === 1 })),
      meta: { page: 3, limit: 10, count: 25 },
    });
    expect(await ids(5, { _page: "9" })).toEqual([]);
    expect(await ids(5, { _page: "-3", _limit: "2" })).toEqual([0, 1]);
  });

  test("page and limit must be numbers", () => {
    const bad: Query[] = [
      { _page: "x" },
      { _page: "" },
      { _page: "1.5" },
      { _limit: "0" },
      { _limit: "-1" },
      { _limit: "true" },
      { _limit: "9".repeat(30) },
      { _sort: "nope" },
      { _sort: "toString" },
    ];
    for (const query of bad) expect(() => listQuery(query, table, 10)).toThrow(AdminError);
  });
});

test("what is skipped has a moment to look at the clock after each stride, and no other", () => {
  const walked = [...fromIterable(items(2 * SKIP_STRIDE + 3))(2 * SKIP_STRIDE + 1)];
  expect(walked).toEqual([null, null, null, { id: 2 * SKIP_STRIDE + 1 }, { id: 2 * SKIP_STRIDE + 2 }]);
});

test("a rest for whoever changes the broker: what was done goes out before it, the time is taken after it", async () => {
  const calls: string[] = [];
  const broker = { flush: () => calls.push("flush"), beat: () => calls.push("beat") } as unknown as Broker;
  const rested = restBetween(broker, new Slices(mono));
  expect(calls).toEqual(["flush"]);
  await rested;
  expect(calls).toEqual(["flush", "beat"]);
});

describe("filters and sorting", () => {
  test("exact, by alias, in part, all at once", async () => {
    expect(await ids(100, { id: "7" })).toEqual([7]);
    expect(await ids(100, { nick: "Name 0000008" })).toEqual([8]);
    expect(await ids(100, { _like_name: "nAmE 00000 ".trim(), odd: "true", _limit: "3" })).toEqual([1, 3, 5]);
    expect((await run(100, { odd: "true" })).meta.count).toBe(50);
    expect(await ids(100, { unknown: "x", _like_id: "5", _: "1" }, 2)).toEqual([0, 1]);
  });

  test("up and down, pages of the sorted list", async () => {
    expect(await ids(100, { _sort: "-id", _limit: "3" })).toEqual([99, 98, 97]);
    expect(await ids(100, { _sort: "-id", _limit: "3", _page: "33" })).toEqual([3, 2, 1]);
    expect(await ids(100, { _sort: "name", _limit: "2", _page: "2" })).toEqual([2, 3]);
    // Equal keys keep the table's order.
    expect(await ids(6, { _sort: "odd" })).toEqual([0, 2, 4, 1, 3, 5]);
  });

  test("more rows than are kept at a time", async () => {
    expect(await ids(20_000, { _sort: "-name", _limit: "4", _page: "2" })).toEqual([19_995, 19_994, 19_993, 19_992]);
    expect((await run(20_000, { _sort: "odd", odd: "true", _limit: "5000", _page: "2" })).rows.length).toBe(5000);
  });
});

describe("the event loop", () => {
  /** Turns that others got while the list was made. */
  async function turns(work: Promise<unknown>): Promise<number> {
    let n = 0;
    let going = true;
    const tick = (): void => {
      n++;
      if (going) setImmediate(tick);
    };
    setImmediate(tick);
    await work;
    going = false;
    return n;
  }

  test("gets its turns during a long walk", async () => {
    expect(await turns(run(400_000, { _like_name: "399999" }))).toBeGreaterThan(5);
    expect(await turns(run(200_000, { _sort: "-name" }))).toBeGreaterThan(5);
  });

  test("a short page takes none", async () => {
    expect(await turns(run(10, {}))).toBeLessThan(3);
  });
});

test("a sliced sort is a stable sort", async () => {
  const slices = new Slices(mono);
  const list = Array.from({ length: 5000 }, (_, i) => ({ key: (i * 7919) % 100, i }));
  const sorted = await sortSliced(list, (a, b) => a.key - b.key, slices);
  expect(sorted).toEqual([...list].sort((a, b) => a.key - b.key));
  expect(await sortSliced([], () => 0, slices)).toEqual([]);
});
