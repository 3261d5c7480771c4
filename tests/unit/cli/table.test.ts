import { expect, test } from "bun:test";
import { tableLines } from "../../../server/cli/table.ts";

test("columns are as wide as their widest cell; numbers at the right; what is not there is a dash", () => {
  expect(
    tableLines(
      ["name", "n", "end"],
      [
        ["a long one", 7, null],
        ["", 1200, "x"],
      ],
    ),
  ).toEqual(["name           n  end", "a long one     7  -", "-           1200  x"]);
});

test("no rows: the headings", () => {
  expect(tableLines(["a", "b"], [])).toEqual(["a  b"]);
});
