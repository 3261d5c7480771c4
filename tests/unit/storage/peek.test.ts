/** What is read of a database without a broker. */
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { peekKv } from "../../../server/storage/peek.ts";
import { copyFiles, newDir, openIn } from "./sqlite_harness.ts";

const NONE = new Map([
  ["a", []],
  ["none", []],
]);

test("the rows of the namespaces asked for, by key, others left out; the file is closed again", () => {
  const dir = newDir();
  const store = openIn(dir);
  store.kv("a").set("y", "2");
  store.kv("a").set("x", "1");
  store.kv("b").set("z", "3");
  store.close();
  const found = new Map<string, [string, string][]>([
    ...NONE,
    [
      "a",
      [
        ["x", "1"],
        ["y", "2"],
      ],
    ],
  ]);
  for (let i = 0; i < 2; i++) expect(peekKv(dir, ["a", "none"])).toEqual(found);
  openIn(dir).close();
});

test("where there is no database there are no rows, and none is made", () => {
  const dir = newDir();
  expect(peekKv(dir, ["a", "none"])).toEqual(NONE as never);
  openIn(dir).close();
  expect(peekKv(dir, ["a", "none"])).toEqual(NONE as never);
});

test("a running broker's is in use; one that is no database says so", () => {
  const dir = newDir();
  const store = openIn(dir);
  expect(() => peekKv(dir, ["a"])).toThrow(
    expect.objectContaining({ code: "locked", message: `data directory ${dir} is in use by a running broker` }),
  );
  store.close();
  const other = newDir();
  mkdirSync(other, { recursive: true });
  writeFileSync(join(other, "baomq.db"), "no database at all\n".repeat(500));
  expect(() => peekKv(other, ["a"])).toThrow(expect.objectContaining({ code: "damaged", message: expect.stringContaining("it is not a") }));
});

test("what a broker that was killed has left is read, and left as it is", () => {
  const store = openIn(newDir());
  store.kv("a").set("x", "1");
  store.commit();
  const dir = copyFiles(store);
  store.close();
  const contents = (): Buffer[] => ["baomq.db", "baomq.db-wal"].map((f) => readFileSync(join(dir, f)));
  const before = contents();
  expect(peekKv(dir, ["a"]).get("a")).toEqual([["x", "1"]]);
  expect(contents()).toEqual(before);
});
