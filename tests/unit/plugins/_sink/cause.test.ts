/** What a cause takes in memory, and how it is read again. */
import { expect, test } from "bun:test";
import { CauseBytes, causeIn, storedCause } from "../../../../server/plugins/_sink/cause.ts";

const cause = { event: "message.publish", clientId: "c", topic: "t/1", payload: "x".repeat(100) };

test("rows of one event share theirs: it counts once", () => {
  const bytes = new CauseBytes();
  const other = { ...cause };
  expect([cause, cause, other, null, other].map((c) => bytes.of(c))).toEqual([168, 0, 168, 0, 0]);
});

test("it is read as it was stored; what is none is none", () => {
  expect(causeIn(JSON.parse(JSON.stringify(storedCause(cause))))).toEqual(cause);
  expect(causeIn(storedCause({ ...cause, topic: null, payload: null }))).toEqual({ ...cause, topic: null, payload: null });
  for (const none of [undefined, null, {}, [], ["message.publish"], [1, "c", "t", "x"]]) expect(causeIn(none)).toBeNull();
});
