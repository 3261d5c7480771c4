import { expect, test } from "bun:test";
import { BSON } from "mongodb";
import { readDocument, storable } from "../../../../server/plugins/_mongo/document.ts";

const stored = (document: object): object => BSON.deserialize(BSON.serialize(document), { useBigInt64: true, promoteValues: true });
const read = (json: string) => readDocument(json, BSON.EJSON);

test("whole numbers of 64 bits are exact, longer ones are texts", () => {
  const json =
    '{"a": 9007199254740993, "b": [-9223372036854775808, 9223372036854775807, 9223372036854775808], "c": {"d": -9223372036854775809}, "e": 1}';
  const document = {
    a: 9007199254740993n,
    b: [-(2n ** 63n), 2n ** 63n - 1n, "9223372036854775808"],
    c: { d: "-9223372036854775809" },
    e: 1,
  };
  expect(read(json)).toEqual(document);
  expect(stored(read(json))).toEqual(document);
});

test("what MongoDB's JSON has is what it is, also beside them", () => {
  const { at, id, n } = read(
    '{"at": {"$date": "2024-02-23T15:56:30Z"}, "id": {"$oid": "65d8c0de65d8c0de65d8c0de"}, "n": 12345678901234567}',
  );
  expect(at).toEqual(new Date("2024-02-23T15:56:30Z"));
  expect(id).toBeInstanceOf(BSON.ObjectId);
  expect(n).toBe(12345678901234567n);
  expect(() => read("{")).toThrow(SyntaxError);
});

test("of a row that is stored as it is", () => {
  const bytes = Uint8Array.of(1);
  expect(storable({ a: [2n ** 70n, 2n ** 60n], bytes, none: null })).toEqual({ a: [String(2n ** 70n), 2n ** 60n], bytes, none: null });
});

test("long numbers within MongoDB's JSON are what its names say", () => {
  const { Long, Decimal128, Code, DBRef } = BSON;
  const table: [json: string, value: unknown][] = [
    ['{"$ref": "users", "$id": 1234567890123456789}', new DBRef("users", 1234567890123456789n as never)],
    ['{"$code": "f", "$scope": {"x": 1234567890123456789}}', new Code("f", { x: 1234567890123456789n })],
    ['{"$numberDecimal": 12345678901234567890}', Decimal128.fromString("12345678901234567890")],
    ['{"$numberDecimal": 1.5}', Decimal128.fromString("1.5")],
    ['{"$numberLong": 1234567890123456789}', 1234567890123456789n],
    ['{"$numberLong": "9007199254740993"}', 9007199254740993n],
    ['{"$numberLong": 5}', 5n],
    ['{"$numberDouble": 12345678901234567890}', Number("12345678901234567890")],
    ['{"$numberInt": 5}', 5],
    ['{"$date": {"$numberLong": 1700000000000}}', new Date(1_700_000_000_000)],
    ['{"$date": 1700000000000}', new Date(1_700_000_000_000)],
    ['{"__proto__": 1234567890123456789}', Object.fromEntries([["__proto__", 1234567890123456789n]])],
  ];
  for (const [json, value] of table) expect([json, read(`{"v": ${json}}`)]).toEqual([json, { v: value }]);
  expect(stored(read('{"v": {"$numberLong": 5}}'))).toEqual({ v: 5n });
  expect(BSON.calculateObjectSize({ v: Long.fromNumber(5) })).toBe(BSON.calculateObjectSize(read('{"v": {"$numberLong": 5}}')));
});

test.each([
  '{"$numberLong": 12345678901234567890}',
  '{"$numberLong": "12345678901234567890"}',
  '{"$date": 1700000000000000000}',
  '{"$date": 8640000000000001}',
  '{"$date": {"$numberLong": 1700000000000000000}}',
  '{"$date": {"$numberLong": "1700000000000000000"}}',
])("%s is refused, not stored as another one", (json) => expect(() => read(`{"v": ${json}}`)).toThrow(/\d is no \$(?:numberLong|date)$/));
