import { expect, test } from "bun:test";
import { RedoReader, RedoWriter } from "../../../server/storage/redo_bytes.ts";

const BEGIN = 4;
const contentOf = (w: RedoWriter): Buffer => Buffer.from(w.record.subarray(BEGIN));

test("whole numbers of every size come back, the small ones in one byte", () => {
  const numbers = [0, 1, 127, 128, 16_383, 16_384, 0x7fffffff, 0x80000000, 0xffffffff, 2 ** 32, 2 ** 42 + 5, Number.MAX_SAFE_INTEGER];
  const w = new RedoWriter(BEGIN, 16);
  for (const n of numbers) w.uint(n);
  const r = new RedoReader(contentOf(w));
  expect(numbers.map(() => r.uint())).toEqual(numbers);
  expect(r.more).toBe(false);
  const small = new RedoWriter(BEGIN, 16);
  small.uint(127);
  expect(small.length).toBe(1);
});

test("strings, bytes and times come back, whatever their length and alphabet", () => {
  const strings = [
    "",
    "a",
    "sensors/1/temp",
    "x".repeat(48),
    "x".repeat(49),
    "é",
    "→".repeat(48),
    "❤".repeat(70_000),
    "a\u0000b",
    "ÿ".repeat(47),
  ];
  const w = new RedoWriter(BEGIN, 16);
  for (const s of strings) w.string(s);
  w.nullable(null);
  w.nullable("");
  w.f64(1_764_192_000_123.5);
  w.bytes(new Uint8Array(0));
  w.bytes(Uint8Array.of(9, 1, 2, 3, 9), 1, 4);
  w.u8(255);
  const r = new RedoReader(contentOf(w));
  for (const s of strings) expect(r.string()).toBe(s);
  expect([r.nullable(), r.nullable(), r.f64()]).toEqual([null, "", 1_764_192_000_123.5]);
  expect([[...r.bytes()], [...r.bytes()], r.u8()]).toEqual([[], [1, 2, 3], 255]);
  expect(r.more).toBe(false);
});

test("what is begun anew has nothing of before; a burst's buffer is not kept", () => {
  const w = new RedoWriter(BEGIN, 16);
  w.bytes(new Uint8Array(10_000));
  expect(w.length).toBe(10_002);
  const large = w.record.buffer.byteLength;
  w.reset();
  expect(w.length).toBe(0);
  w.u8(7);
  expect([...contentOf(w)]).toEqual([7]);
  expect(w.record.buffer.byteLength).toBeLessThan(large);
});

test("a record that ends too soon is an error, wherever it ends", () => {
  const w = new RedoWriter(BEGIN, 16);
  w.string("topic");
  w.uint(300);
  w.f64(1);
  const whole = contentOf(w);
  for (let n = 0; n < whole.length; n++) {
    const r = new RedoReader(whole.subarray(0, n));
    expect(() => [r.string(), r.uint(), r.f64()]).toThrow(RangeError);
  }
});
