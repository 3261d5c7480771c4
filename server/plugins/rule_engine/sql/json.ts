/** JSON that an evaluation reads: bounded, and paid for. */
import { exactJson, UnreadJson } from "../../../lib/exact_json.ts";
import { Refusal } from "./errors.ts";
import type { Value } from "./values.ts";
import { pay } from "./work.ts";

/** @throws SyntaxError, Refusal: it has too many values, is nested too deep, or is the last straw of an evaluation */
export function parseJson(text: string): Value {
  try {
    return exactJson(text, pay) as Value;
  } catch (err) {
    throw err instanceof UnreadJson ? new Refusal(err.message) : err;
  }
}
