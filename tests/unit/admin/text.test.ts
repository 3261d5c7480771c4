import { expect, test } from "bun:test";
import { memoryText, orUndefined } from "../../../server/admin/text.ts";

test("memory: a step only when strictly greater", () => {
  expect([512, 1024, 1025, 1024 ** 2, 80_162_816, 1024 ** 3, 3 * 1024 ** 3].map(memoryText)).toEqual([
    "512",
    "1024",
    "1.00K",
    "1024.00K",
    "76.45M",
    "1024.00M",
    "3.00G",
  ]);
});

test("unset is a word; emptiness is not unset", () => {
  expect([null, undefined, "", "x"].map(orUndefined)).toEqual(["undefined", "undefined", "", "x"]);
});
