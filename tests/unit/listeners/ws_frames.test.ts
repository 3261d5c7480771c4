import { describe, expect, test } from "bun:test";
import { closeFrame, FrameReader, type FrameSink, frameOf, writeHeader } from "../../../server/listeners/ws_frames.ts";
import { Unfinished } from "../../../server/listeners/ws_unfinished.ts";

class Log implements FrameSink {
  events: string[] = [];
  constructor(private readonly log: string[] = []) {
    this.events = log;
  }
  onBytes(bytes: Uint8Array): void {
    this.#bytes("bytes", bytes);
  }
  onCompressed(message: Uint8Array): void {
    this.#bytes("compressed", message);
  }
  onPing(payload: Uint8Array): void {
    this.log.push(`ping ${Buffer.from(payload)}`);
  }
  onPeerClose(code: number): void {
    this.log.push(`close ${code}`);
  }
  onViolation(code: number): void {
    this.log.push(`violation ${code}`);
  }
  /** The stream is what counts, not its pieces. */
  #bytes(kind: string, bytes: Uint8Array): void {
    const last = this.log.at(-1);
    const text = Buffer.from(bytes).toString("latin1");
    if (kind === "bytes" && last?.startsWith("bytes ")) this.log[this.log.length - 1] = last + text;
    else this.log.push(`${kind} ${text}`);
  }
}

let maskSeed = 1;
/** A frame as a client sends it. */
function frame(opcode: number, payload: string | Uint8Array, o: { fin?: boolean; rsv?: number; masked?: boolean } = {}): Buffer {
  const body = Buffer.from(payload as string, "latin1");
  const head = Buffer.alloc(10);
  const size = writeHeader(head, 0, opcode, body.length, false);
  head[0] = (o.fin === false ? 0 : 0x80) | (o.rsv ?? 0) | opcode;
  if (o.masked === false) return Buffer.concat([head.subarray(0, size), body]);
  head[1] = (head[1] as number) | 0x80;
  maskSeed = (maskSeed * 1103515245 + 12345) >>> 0;
  const mask = Buffer.from([maskSeed >>> 24, (maskSeed >>> 16) & 255, (maskSeed >>> 8) & 255, maskSeed & 255]);
  return Buffer.concat([head.subarray(0, size), mask, body.map((b, i) => b ^ (mask[i & 3] as number))]);
}

function read(bytes: Buffer, sizes: number[] = [], max = 1 << 20, compressed = false): string[] {
  const log: string[] = [];
  const reader = new FrameReader(new Log(log), max, compressed, new Unfinished());
  let at = 0;
  for (const n of [...sizes, bytes.length]) {
    if (at < bytes.length) reader.read(Uint8Array.from(bytes.subarray(at, at + n)));
    at += n;
  }
  return log;
}

const long = "x".repeat(130);
const longer = "0123456789".repeat(7000);

const sequences: [string, Buffer[], string[]][] = [
  ["one frame", [frame(2, "hello")], ["bytes hello"]],
  ["several frames are one stream", [frame(2, "he"), frame(2, "l"), frame(2, "lo")], ["bytes hello"]],
  ["16-bit length", [frame(2, long)], [`bytes ${long}`]],
  ["64-bit length", [frame(2, longer), frame(2, "!")], [`bytes ${longer}!`]],
  ["fragments", [frame(2, "he", { fin: false }), frame(0, "ll", { fin: false }), frame(0, "o"), frame(2, "!")], ["bytes hello!"]],
  ["a ping between fragments", [frame(2, "he", { fin: false }), frame(9, "?"), frame(0, "llo")], ["bytes he", "ping ?", "bytes llo"]],
  [
    "empty frames",
    [frame(2, ""), frame(2, "a"), frame(2, "", { fin: false }), frame(0, ""), frame(9, ""), frame(2, "b")],
    ["bytes a", "ping ", "bytes b"],
  ],
  ["a pong is nothing", [frame(2, "a"), frame(10, "zz"), frame(2, "b")], ["bytes ab"]],
  ["close", [frame(2, "a"), frame(8, "\x03\xe8bye"), frame(2, "b")], ["bytes a", "close 1000"]],
  ["close without a code", [frame(8, "")], ["close 1005"]],
  ["close with a private code", [frame(8, "\x0f\xa0")], ["close 4000"]],
  ["close with half a code", [frame(8, "\x03")], ["violation 1002"]],
  ["close with a code nobody may send", [frame(8, "\x03\xed")], ["violation 1002"]],
  ["text", [frame(2, "a"), frame(1, "b"), frame(2, "c")], ["bytes a", "violation 1003"]],
  ["not masked", [frame(2, "a"), frame(2, "b", { masked: false }), frame(2, "c")], ["bytes a", "violation 1002"]],
  ["reserved bits", [frame(2, "a", { rsv: 0x20 })], ["violation 1002"]],
  ["compressed without agreement", [frame(2, "a", { rsv: 0x40 })], ["violation 1002"]],
  ["reserved opcodes", [frame(3, "a")], ["violation 1002"]],
  ["reserved control opcodes", [frame(11, "a")], ["violation 1002"]],
  ["continuation of nothing", [frame(0, "a")], ["violation 1002"]],
  ["continuation after the end", [frame(2, "a"), frame(0, "b")], ["bytes a", "violation 1002"]],
  ["message inside a message", [frame(2, "a", { fin: false }), frame(2, "b")], ["bytes a", "violation 1002"]],
  ["cut control frame", [frame(9, "a", { fin: false })], ["violation 1002"]],
  ["long control frame", [frame(9, "x".repeat(126))], ["violation 1002"]],
];

describe("frames of a client", () => {
  for (const [name, frames, events] of sequences) {
    test(name, () => {
      const bytes = Buffer.concat(frames);
      expect(read(bytes)).toEqual(events);
      expect(read(bytes, new Array(bytes.length).fill(1))).toEqual(events);
      for (let n = 2; n < 16; n++) expect(read(bytes, new Array(Math.ceil(bytes.length / n)).fill(n))).toEqual(events);
    });
  }

  test("the payload limit is looked at before anything is kept", () => {
    expect(read(frame(2, "x".repeat(101)), [], 100)).toEqual(["violation 1009"]);
    expect(read(frame(2, "x".repeat(100)), [], 100)).toEqual([`bytes ${"x".repeat(100)}`]);
    const huge = Buffer.from("82ffffffffffffffffff00000000", "hex");
    expect(read(huge)).toEqual(["violation 1009"]);
  });

  test("two bytes are enough to see that a frame is against the rules", () => {
    for (const [start, code] of [
      ["8202", 1002],
      ["8f80", 1002],
      ["8180", 1003],
      ["0980", 1002],
    ] as const) {
      expect(read(Buffer.from(start, "hex"))).toEqual([`violation ${code}`]);
      expect(read(Buffer.from(start, "hex"), [1])).toEqual([`violation ${code}`]);
    }
  });

  test("compressed messages come whole, control frames between their fragments apart", () => {
    const bytes = Buffer.concat([
      frame(2, "plain"),
      frame(2, "com", { fin: false, rsv: 0x40 }),
      frame(9, "p"),
      frame(0, "pressed"),
      frame(2, "plain"),
    ]);
    const events = ["bytes plain", "ping p", "compressed compressed", "bytes plain"];
    expect(read(bytes, [], 100, true)).toEqual(events);
    expect(read(bytes, new Array(bytes.length).fill(1), 100, true)).toEqual(events);
    expect(read(Buffer.concat([frame(2, "x".repeat(60), { fin: false, rsv: 0x40 }), frame(0, "x".repeat(60))]), [], 100, true)).toEqual([
      "violation 1009",
    ]);
  });

  test("payload that was handed on is not touched again", () => {
    const kept: { view: Uint8Array; copy: Buffer }[] = [];
    const sink = Object.assign(new Log(), {
      onBytes: (b: Uint8Array) => {
        kept.push({ view: b, copy: Buffer.from(b) });
      },
    });
    const reader = new FrameReader(sink, 1 << 20, false, new Unfinished());
    reader.read(Uint8Array.from(Buffer.concat([frame(2, "one"), frame(9, ""), frame(2, "two"), frame(9, ""), frame(2, long)])));
    expect(kept.length).toBe(3);
    for (const k of kept) expect(k.copy.equals(k.view)).toBe(true);
  });

  test("nothing is read after stop()", () => {
    const log: string[] = [];
    const sink = Object.assign(new Log(log), {
      onPing: () => {
        log.push("ping");
        reader.stop();
      },
    });
    const reader = new FrameReader(sink, 1 << 20, false, new Unfinished());
    reader.read(Buffer.concat([frame(2, "a"), frame(9, ""), frame(2, "b")]));
    reader.read(frame(2, "c"));
    expect(log).toEqual(["bytes a", "ping"]);
  });
});

test("frames of the server", () => {
  expect(Buffer.from(frameOf(10, Buffer.from("hi"))).toString("hex")).toBe("8a026869");
  expect(Buffer.from(closeFrame(1002, "why")).toString("hex")).toBe("880503ea776879");
  const h = new Uint8Array(10);
  expect([writeHeader(h, 0, 2, 125, false), h[1]]).toEqual([2, 125]);
  expect([writeHeader(h, 0, 2, 126, true), h[0], h[1], h[2], h[3]]).toEqual([4, 0xc2, 126, 0, 126]);
  expect(writeHeader(h, 0, 2, 65536, false)).toBe(10);
  expect(Buffer.from(h).toString("hex")).toBe("827f0000000000010000");
  expect(closeFrame(1002, "x".repeat(500)).length).toBe(127);
});

describe("compressed messages that have not come whole", () => {
  const start = (n: number): Buffer => frame(2, Buffer.alloc(n, "z"), { fin: false, rsv: 0x40 });

  test("are counted, with the cost of their pieces, and count no more when done, refused or stopped", () => {
    const all = new Unfinished();
    const readers = [0, 1, 2].map(() => new FrameReader(new Log(), 1000, true, all));
    for (const r of readers) for (const b of start(300)) r.read(Uint8Array.of(b));
    expect(all.bytes).toBeGreaterThan(3 * 300 * 50);
    readers[0]?.read(Uint8Array.from(frame(0, "end")));
    readers[1]?.read(Uint8Array.from(frame(0, Buffer.alloc(800))));
    readers[2]?.stop();
    expect(all.bytes).toBe(0);
  });

  test("beyond the budget the one that began first goes, be it the one that reads", () => {
    const all = new Unfinished(2500);
    const logs: string[][] = [[], [], []];
    const [a, b, c] = logs.map((log) => new FrameReader(new Log(log), 10_000, true, all)) as [FrameReader, FrameReader, FrameReader];
    a.read(Uint8Array.from(start(1000)));
    b.read(Uint8Array.from(start(1000)));
    expect(logs).toEqual([[], [], []]);
    c.read(Uint8Array.from(start(1000)));
    expect(logs).toEqual([["violation 1013"], [], []]);
    b.read(Uint8Array.from(frame(0, Buffer.alloc(1000))));
    expect(logs).toEqual([["violation 1013"], ["violation 1013"], []]);
    c.read(Uint8Array.from(frame(0, "end")));
    expect(logs[2]).toHaveLength(1);
    expect(all.bytes).toBe(0);
  });
});
