/** What stands in a column, a field or a hash, in whatever type a driver gives it: a text, or nothing that counts as one. */
import { expect, test } from "bun:test";
import { Binary, Decimal128, Long, ObjectId } from "mongodb";
import { columnText, userOf } from "../../../../server/plugins/_auth/columns.ts";
import { ruleOfRow } from "../../../../server/plugins/_auth/rules.ts";

test("texts, bytes, numbers, yes and no, dates, and what MongoDB's driver has for them", () => {
  const date = new Date(0);
  for (const [value, text] of [
    ["joe", "joe"],
    ["", ""],
    [Buffer.from("jö"), "jö"],
    [1, "1"],
    [2n ** 60n, "1152921504606846976"],
    [true, "true"],
    [date, String(date)],
    [new Binary(Buffer.from("jö")), "jö"],
    [Long.fromString("1152921504606846976"), "1152921504606846976"],
    [Decimal128.fromString("1.50"), "1.50"],
    [new ObjectId("0123456789abcdef01234567"), "0123456789abcdef01234567"],
  ] as const)
    expect(columnText(value)).toBe(text);
});

test("a document, a list and the like are no text, whatever they say of themselves", () => {
  const own = { toString: () => "secret" };
  for (const value of [
    null,
    undefined,
    {},
    { hash: "x" },
    own,
    { _bsontype: "Binary" },
    [],
    ["a"],
    [["a"]],
    new Int32Array(1),
    /a/,
    new Map(),
  ])
    expect([value, columnText(value)]).toEqual([value, null]);
});

test("a password that is a document is none, and one whose salt is a document cannot be compared", () => {
  expect(userOf("hash", "salt")).toEqual({ password: "hash", salt: "salt" });
  expect([userOf("hash", null), userOf("hash", undefined)]).toEqual(Array(2).fill({ password: "hash", salt: "" }));
  expect([userOf({ hash: "x" }, "salt"), userOf(null, "salt"), userOf("hash", { salt: "x" })]).toEqual(
    Array(3).fill({ password: null, salt: expect.any(String) }),
  );
});

test("a list where a rule says for whom it is makes no rule for everybody", () => {
  expect(ruleOfRow([1, null, "joe", ["c1"], 3, "a/#"])).toBe("clientid is a list or a document, expected a text");
  expect(ruleOfRow([1, { ip: "10.0.0.1" }, "joe", null, 3, "a/#"])).toBe("ipaddr is a list or a document, expected a text");
});
