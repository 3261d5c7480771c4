import { expect, test } from "bun:test";
import { Message, Slab } from "../../../server/core/message.ts";
import { type MonoMs, NO_MONO, type WallMs } from "../../../server/lib/time.ts";

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

test("a copy has the time that is left and the refusal, not the journal's marks and the encoded forms", () => {
  const m = message().dated(wall(1_003_000), mono(50));
  m.storeId = 7;
  m.storeRefs = 2;
  m.refusedWith = 0x97;
  m.encodedForms()[0] = new Uint8Array(1);
  const copy = m.with({ topic: "u" });
  expect([copy.topic, copy.expiresAt, copy.deadline, copy.refusedWith]).toEqual(["u", 1_005_000, mono(2050), 0x97]);
  expect([copy.storeId, copy.storeRefs, copy.encodedForms()[0]]).toEqual([0, 0, undefined]);
  m.dropEncoded();
  expect([m.storeId, m.encodedForms()[0]]).toEqual([7, undefined]);
});

test("one without expiry, journal or refusal says so, and its copies too", () => {
  const m = new Message("t", new Uint8Array(1), 1, false, "c", null, 1_000_000, 0, null).dated(wall(1), mono(1));
  m.dropEncoded();
  for (const x of [m, m.with({})]) {
    expect([x.expiresAt, x.deadline, x.expires, x.expired(mono(1e9)), x.storeId, x.storeRefs, x.refusedWith]).toEqual([
      0,
      NO_MONO,
      false,
      false,
      0,
      0,
      0,
    ]);
  }
});

test("detached it has its payload in a buffer of its own, once; a copy of it lies where it lay", () => {
  const slab = new Slab();
  const chunk = Buffer.from("..payload..");
  const m = new Message("t", chunk, 1, false, "c", null, 1_000_000, 0, null);
  m.payloadStart = 2;
  m.payloadEnd = 9;
  m.owned = false;
  const early = m.with({ topic: "u" });
  expect([early.owned, early.buf]).toEqual([false, chunk]);
  slab.keep(m);
  const copy = m.with({ topic: "u" });
  for (const x of [m, early, copy]) {
    const before = x.buf;
    x.detach();
    expect(x.buf).not.toBe(before);
    expect([x.owned, x.buf.length, x.buf.buffer.byteLength, Buffer.from(x.payload).toString()]).toEqual([true, 7, 7, "payload"]);
    const { buf } = x;
    x.detach();
    expect(x.buf).toBe(buf);
  }
  expect(Buffer.from(m.with({ payload: Buffer.from("other") }).payload).toString()).toBe("other");
});
