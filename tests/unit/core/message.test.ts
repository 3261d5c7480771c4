import { expect, test } from "bun:test";
import { Message } from "../../../server/core/message.ts";
import type { MonoMs, WallMs } from "../../../server/lib/time.ts";

const wall = (ms: number): WallMs => ms as WallMs;
const mono = (ms: number): MonoMs => ms as MonoMs;

/** Published at 1,000,000 with 5 s to live. */
const message = (): Message => new Message("t", new Uint8Array(1), 1, false, "c", null, 1_000_000, 1_005_000, null);

test("a stored message lives on for what is left of its expiry interval, by the wall clock", () => {
  const m = message().dated(wall(1_003_000), mono(50));
  expect([m.expired(mono(2049)), m.expired(mono(2050))]).toEqual([false, true]);
});

test("a wall clock that was set back does not lengthen the interval [MQTT-3.3.2-6]", () => {
  const m = message().dated(wall(1_000_000 - 7_200_000), mono(50));
  expect([m.expired(mono(5049)), m.expired(mono(5050))]).toEqual([false, true]);
});
