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

test("detached with the packet around it: in a buffer of its own, which counts, once; what changes it is no packet any more", () => {
  const chunk = Buffer.from("..2head+propspayload..");
  const made = (): Message => {
    const m = new Message("t", chunk, 1, false, "c", null, 1_000_000, 0, null);
    [m.payloadStart, m.payloadEnd, m.plain, m.owned] = [13, 20, 6, false];
    return m;
  };
  const m = made();
  const { size } = m;
  m.detachPacket(chunk, 2, 20, 4);
  expect([m.packet, m.owned, m.buf.buffer.byteLength, Buffer.from(m.buf).toString()]).toEqual([4, true, 18, "2head+propspayload"]);
  expect([Buffer.from(m.payload).toString(), m.plain, m.size - size]).toEqual(["payload", 6, 5]);
  const { buf } = m;
  m.detach();
  m.detachPacket(chunk, 2, 20, 5);
  expect([m.buf === buf, m.packet]).toEqual([true, 4]);
  const copy = m.with({ topic: "u" });
  expect([copy.packet, Buffer.from(copy.payload).toString()]).toEqual([0, "payload"]);
  copy.detach();
  expect([copy.buf.length, Buffer.from(copy.payload).toString(), m.buf === buf]).toEqual([13, "payload", true]);
  m.properties = null;
  expect(m.packet).toBe(0);
  // Also when it lies in a slab meanwhile.
  const kept = made();
  new Slab().keep(kept);
  kept.detachPacket(chunk, 2, 20, 5);
  expect([kept.packet, Buffer.from(kept.buf).toString(), Buffer.from(kept.payload).toString()]).toEqual([
    5,
    "2head+propspayload",
    "payload",
  ]);
});

/** A message as it lies in a chunk: properties (a user property a = b, content type c), then the payload. */
function plain(): Message {
  const chunk = Buffer.concat([
    Buffer.from("....."),
    Buffer.from([0x26, 0, 1, 97, 0, 1, 98, 0x03, 0, 1, 99]),
    Buffer.from("payload"),
    Buffer.from("."),
  ]);
  const m = new Message("t", chunk, 1, false, "c", null, 1_000_000, 0, null);
  m.plain = 11;
  m.payloadStart = 16;
  m.payloadEnd = 23;
  m.owned = false;
  return m;
}
const PLAIN = { userProperties: [["a", "b"]], contentType: "c" };
const textOf = (m: Message): string => Buffer.from(m.payload).toString();

test("properties that nobody needs are decoded by whoever does, wherever the message has gone meanwhile", () => {
  const kept = (m: Message): Message => {
    new Slab().keep(m);
    return m;
  };
  const detached = (m: Message): Message => {
    m.detach();
    return m;
  };
  const ways: ((m: Message) => Message)[] = [
    (m) => m,
    kept,
    detached,
    (m) => detached(kept(m)),
    (m) => m.with({ topic: "u" }),
    (m) => m.with({ qos: 0 }).with({ retain: true }),
  ];
  for (const way of ways) {
    const m = way(plain());
    expect([textOf(m), m.plain]).toEqual(["payload", 11]);
    expect(m.properties).toEqual(PLAIN as never);
    expect([textOf(m), m.plain]).toEqual(["payload", 0]);
    m.detach();
    expect([textOf(m), m.properties]).toEqual(["payload", PLAIN as never]);
  }
});

test("a copy with another payload has the properties; properties that are set replace those that nobody needed", () => {
  const m = plain();
  const copy = m.with({ payload: Buffer.from("other") });
  expect([textOf(copy), copy.properties]).toEqual(["other", PLAIN as never]);
  const set = plain();
  set.properties = { contentType: "x" };
  expect([textOf(set), set.properties]).toEqual(["payload", { contentType: "x" }]);
});

test("properties that nobody needs count as the bytes they are", () => {
  const m = plain();
  const without = new Message("t", Buffer.from("payload"), 1, false, "c", null, 1_000_000, 0, null);
  expect(m.size - without.size).toBe(11);
  m.detach();
  expect(m.buf.length).toBe(18);
});
