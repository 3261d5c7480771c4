/** Addresses and ranges in a configuration. */
import { expect, test } from "bun:test";
import { ranges } from "../../../server/lib/range_entry.ts";

test("each is one, or it is said what was expected", () => {
  const entry = ranges("Whose.");
  expect(entry.parse("127.0.0.1, 10.0.0.0/8,::1")).toEqual(["127.0.0.1", "10.0.0.0/8", "::1"]);
  for (const bad of ["10.0.0.0/33", "127.0.0.1,proxy.example"]) expect(() => entry.parse(bad)).toThrow(bad);
  expect(entry.expects).toStartWith("addresses and ranges separated by commas");
});
