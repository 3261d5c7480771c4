import { expect, test } from "bun:test";
import { Connection } from "../../../server/storage/connection.ts";

test("a transaction that fails leaves nothing behind, and the next one begins afresh", () => {
  const c = new Connection(":memory:");
  c.exec("CREATE TABLE t (n)");
  expect(() =>
    c.transaction(() => {
      c.exec("INSERT INTO t VALUES (1)");
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(c.inTransaction).toBe(false);
  expect(c.value("SELECT count(*) FROM t")).toBe(0);
  c.transaction(() => c.exec("INSERT INTO t VALUES (2)"));
  expect(c.inTransaction).toBe(false);
  expect(c.value("SELECT n FROM t")).toBe(2);
  c.close();
});
