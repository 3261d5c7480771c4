/** Frames: what is written is read again; cut at any byte, or changed in any, the whole ones before it are found and nothing else. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeFrame, FRAME_MAX, type Frame, FrameTooLong, frameAt, rangesOf } from "../../../../server/plugins/_sink/frames.ts";
import { pieces } from "../../../../server/plugins/_sink/scan.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";

const plain = (frame: Frame): unknown => ("item" in frame ? { ...frame, item: Buffer.from(frame.item).toString("hex") } : frame);

const FRAMES: readonly Frame[] = [
  { kind: "item", seq: 1, at: 1_700_000_000_000, key: "c1", item: Buffer.from("hello") },
  { kind: "item", seq: 2 ** 53 - 1, at: 0, key: "", item: new Uint8Array(0) },
  { kind: "item", seq: 7, at: 5, key: "ключ", item: Buffer.from([0, 255, 1]) },
  {
    kind: "done",
    ranges: [
      [1, 1],
      [2 ** 40, 4_000_000_000],
    ],
  },
  { kind: "letter", id: 3, at: 9, tries: 4, why: "http 400: ä", key: "k", item: Buffer.from("x") },
  { kind: "gone", ids: [1, 2 ** 50] },
];

async function read(bytes: Uint8Array): Promise<{ frames: unknown[]; torn: number[] }> {
  const disk = new MemoryDisk();
  disk.files.set("f", Buffer.from(bytes));
  const file = await disk.open("f");
  const torn: number[] = [];
  const frames: unknown[] = [];
  for await (const piece of pieces(file, 0, file.size, (at) => torn.push(at))) for (const { frame } of piece) frames.push(plain(frame));
  return { frames, torn };
}

describe("frames", () => {
  test("are read as they were written", async () => {
    const all = Buffer.concat(FRAMES.map(encodeFrame));
    expect(await read(all)).toEqual({ frames: FRAMES.map(plain), torn: [] });
  });

  test("cut at any byte: the whole ones before it", async () => {
    const parts = FRAMES.map((f) => Buffer.from(encodeFrame(f)));
    const all = Buffer.concat(parts);
    let end = 0;
    const ends = parts.map((p) => (end += p.length));
    for (let cut = 0; cut < all.length; cut++) {
      const whole = ends.filter((e) => e <= cut);
      const { frames, torn } = await read(all.subarray(0, cut));
      expect(frames).toEqual(FRAMES.slice(0, whole.length).map(plain));
      expect(torn).toEqual((whole.at(-1) ?? 0) === cut ? [] : [whole.at(-1) ?? 0]);
    }
  });

  test("any bit changed: it and what is behind it is not read", async () => {
    const all = Buffer.concat(FRAMES.map(encodeFrame));
    for (let bit = 0; bit < all.length * 8; bit++) {
      const spoilt = Buffer.from(all);
      spoilt[bit >> 3] = (spoilt[bit >> 3] as number) ^ (1 << (bit & 7));
      const { frames } = await read(spoilt);
      expect(frames.length).toBeLessThan(FRAMES.length);
      expect(frames).toEqual(FRAMES.slice(0, frames.length).map(plain));
    }
  });

  test("whatever lies there, reading it ends", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(50), (bytes, at) => {
        const found = frameAt(bytes, Math.min(at, bytes.length));
        expect(found === null || "more" in found || found.end <= bytes.length).toBe(true);
      }),
    );
  });

  test("one larger than a piece", async () => {
    const item = Buffer.alloc(700_000, 7);
    const big: Frame = { kind: "item", seq: 2, at: 1, key: "k", item };
    const all = Buffer.concat([FRAMES[0] as Frame, big, FRAMES[5] as Frame].map(encodeFrame));
    const { frames, torn } = await read(all);
    expect([frames.length, torn]).toEqual([3, []]);
    expect(frames[1]).toEqual(plain(big));
  });

  test("one that is too long is refused", () => {
    expect(() => encodeFrame({ kind: "item", seq: 1, at: 1, key: "", item: new Uint8Array(FRAME_MAX) })).toThrow(FrameTooLong);
  });
});

test("numbers as ranges", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(60)), (numbers) => {
      const ranges = rangesOf(numbers);
      const all = ranges.flatMap(([from, count]) => Array.from({ length: count }, (_, i) => from + i));
      expect(all).toEqual([...new Set(numbers)].sort((a, b) => a - b));
      for (const [i, [from]] of ranges.entries())
        if (i > 0) expect(from).toBeGreaterThan((ranges[i - 1]?.[0] ?? 0) + (ranges[i - 1]?.[1] ?? 0));
    }),
  );
});
