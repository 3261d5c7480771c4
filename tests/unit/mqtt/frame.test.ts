import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { bodyStart, checkFlags, frameLength, varIntSize, writeVarInt } from "../../../server/mqtt/frame.ts";
import { FRAME_ROWS, GOOD_FIRST_BYTES } from "../../packets/frames.ts";

/** Largest value of a Variable Byte Integer (table 1-1). */
const MAX_VAR_INT = 268_435_455;

describe("frameLength", () => {
  for (const row of FRAME_ROWS) {
    test(row.name, () => {
      const stream = new Uint8Array(row.bytes.length + 16).fill(0x7f);
      stream.set(row.bytes, 5);
      const end = 5 + row.bytes.length;
      expect(frameLength(stream, 5, end)).toBe(row.length);
      expect(frameLength(stream, 5, end, 5)).toBe(row.length);
      for (const version of [0, 3, 4] as const) expect(frameLength(stream, 5, end, version)).toBe(row.lengthV3 ?? row.length);
    });
  }

  test("every length is found again, and the body where it begins", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_VAR_INT }), (value) => {
        const out = new Uint8Array(5);
        const end = writeVarInt(out, 1, value);
        expect(end - 1).toBe(varIntSize(value));
        expect(frameLength(out, 0, end)).toBe(end + value);
        expect(bodyStart(out, 0)).toBe(end);
        for (let cut = 0; cut < end; cut++) expect(frameLength(out, 0, cut)).toBe(0);
      }),
    );
  });

  test("never looks behind the end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ minLength: 6, maxLength: 6 }), (head, tail) => {
        const joined = new Uint8Array([...head, ...tail]);
        expect(frameLength(joined, 0, head.length)).toBe(frameLength(head, 0, head.length));
      }),
    );
  });
});

describe("checkFlags", () => {
  const accepted = (version: 0 | 3 | 4 | 5): number[] =>
    Array.from({ length: 256 }, (_, byte) => byte).filter((b) => checkFlags(b, version));

  test("[MQTT-2.1.3-1] accepts the flags of the table and no others", () => {
    expect(accepted(5)).toEqual([...GOOD_FIRST_BYTES]);
  });

  test("type 15 is reserved in 3.1.1", () => {
    expect(accepted(4)).toEqual(GOOD_FIRST_BYTES.filter((b) => b !== 0xf0));
  });

  test("3.1 does not use the flags that later versions reserve; PUBREL, SUBSCRIBE, UNSUBSCRIBE have QoS 1", () => {
    const any = (type: number): number[] => Array.from({ length: 16 }, (_, flags) => type * 16 + flags);
    const qos1 = (type: number): number[] => [2, 3, 10, 11].map((flags) => type * 16 + flags);
    const types = Array.from({ length: 14 }, (_, i) => i + 1);
    expect(accepted(3)).toEqual(types.flatMap((type) => ([6, 8, 10].includes(type) ? qos1(type) : any(type))));
  });

  test("before the version is known: CONNECT, whose decoder looks at its flags", () => {
    expect(accepted(0)).toEqual(Array.from({ length: 16 }, (_, flags) => 0x10 + flags));
  });
});
