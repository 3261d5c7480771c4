import { expect, test } from "bun:test";
import { stepLines } from "../../../server/cli/steps.ts";

const step = { step: "emqx_auth_x", verdict: "allow", why: "accepted", ms: 1.25 };

test("what was asked, with which values, and what came back", () => {
  const asked = [{ question: "select ? from t", values: ['1 = "u7"', '2 = "a, b"'], answer: "1 row", ms: 1 }];
  expect(stepLines({ ...step, final: true, asked })).toEqual([
    `* ${"emqx_auth_x".padEnd(24)} allow   accepted (1.3 ms)`,
    "    asked: select ? from t",
    '      with   1 = "u7"',
    '      with   2 = "a, b"',
    "      answer 1 row (1.0 ms)",
  ]);
});

test("what else there is, by its name; times that are none are not told", () => {
  const row = { question: "GET k", values: [], answer: "nothing", ms: 0.01, columns: ["password", "salt"], hint: null };
  const more = { ...step, ms: 0.02, rule: { topic: "a/#", access: 3 }, empty: [], asked: [row] };
  expect(stepLines(more)).toEqual([
    `${"emqx_auth_x".padEnd(24)} allow   accepted`,
    "    rule: topic=a/#, access=3",
    "    asked: GET k",
    "      answer nothing",
    "      columns: password, salt",
  ]);
});
