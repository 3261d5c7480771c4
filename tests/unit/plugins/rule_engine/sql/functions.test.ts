/** Every function: its example is true, its table says what it takes. */
import { expect, test } from "bun:test";
import { compileRule, FUNCTIONS } from "../../../../../server/plugins/rule_engine/sql/index.ts";
import { eventOf, MESSAGE } from "./event.ts";

test.each(FUNCTIONS.map((f) => [f.example, f] as const))("%s", (example, f) => {
  const [row] = compileRule(`SELECT ${example} AS x FROM "t"`).run(eventOf(MESSAGE));
  expect(row?.x as unknown).toEqual(JSON.parse(f.result));
  expect(example).toContain(`${f.name}(`);
});
