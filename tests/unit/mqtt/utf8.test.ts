import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isMqttString, readUtf8, utf8Length, validUtf8, wellFormedUtf8, writeUtf8 } from "../../../server/mqtt/utf8.ts";
import { bytes } from "../../packets/wire.ts";

const whole = (b: Uint8Array): [Uint8Array, number, number] => [b, 0, b.length];

describe("strings", () => {
  const good: [string, string][] = [
    ["ASCII", "'abc ~!'"],
    ["nothing", ""],
    ["two bytes, smallest allowed", "c2a0"],
    ["two bytes, largest", "dfbf"],
    ["three bytes, smallest", "e0a080"],
    ["last before the surrogates", "ed9fbf"],
    ["first behind the surrogates", "ee8080"],
    ["[MQTT-1.5.4-3] BOM", "efbbbf"],
    ["replacement character U+FFFD", "efbfbd"],
    ["last before the non-characters U+FDCF", "efb78f"],
    ["first behind them U+FDF0", "efb7b0"],
    ["four bytes, smallest", "f0908080"],
    ["U+10FFFD", "f48fbfbd"],
    ["U+1F680", "f09f9a80"],
  ];
  for (const [what, hex] of good) {
    test(`accepts ${what}`, () => {
      const b = bytes(hex);
      expect(validUtf8(...whole(b))).toBe(true);
      expect(readUtf8(...whole(b))).toBe(new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(b));
    });
  }

  const bad: [string, string, wellFormed: boolean][] = [
    ["[MQTT-1.5.4-2] U+0000", "00", true],
    ["U+0001", "6101", true],
    ["U+001F", "1f", true],
    ["line feed", "610a62", true],
    ["U+007F", "7f", true],
    ["U+0080", "c280", true],
    ["U+009F", "c29f", true],
    ["U+FDD0", "efb790", true],
    ["U+FDEF", "efb7af", true],
    ["U+FFFE", "efbfbe", true],
    ["U+FFFF", "efbfbf", true],
    ["U+1FFFE", "f09fbfbe", true],
    ["U+1FFFF", "f09fbfbf", true],
    ["U+10FFFF", "f48fbfbf", true],
    ["[MQTT-1.5.4-1] U+D800", "eda080", false],
    ["[MQTT-1.5.4-1] U+DFFF", "edbfbf", false],
    ["[MQTT-1.5.4-1] surrogate pair (CESU-8)", "eda0bdedba80", false],
    ["continuation byte alone", "80", false],
    ["lead byte alone", "c3", false],
    ["lead byte before ASCII", "c328", false],
    ["overlong U+0000", "c080", false],
    ["overlong /", "c0af", false],
    ["overlong in three bytes", "e09fbf", false],
    ["overlong in four bytes", "f08fbfbf", false],
    ["over U+10FFFF", "f4908080", false],
    ["F5", "f5808080", false],
    ["FE", "fe", false],
    ["FF", "ff", false],
    ["three bytes cut", "e282", false],
    ["three bytes, last wrong", "e28261", false],
    ["four bytes cut", "f09f9a", false],
    ["four bytes, third wrong", "f09f6180", false],
    ["four bytes, last wrong", "f09f9a61", false],
  ];
  for (const [what, hex, wellFormed] of bad) {
    test(`refuses ${what}`, () => {
      for (const around of ["", "'abc'", "c3a9"]) {
        const b = bytes(`${around} ${hex} ${around}`);
        expect(validUtf8(...whole(b))).toBe(false);
        expect(readUtf8(...whole(b))).toBeNull();
        expect(wellFormedUtf8(...whole(b))).toBe(wellFormed);
      }
    });
  }
});

describe("properties", () => {
  const fatal = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  function wellFormedByEngine(b: Uint8Array): boolean {
    try {
      fatal.decode(b);
      return true;
    } catch {
      return false;
    }
  }
  /** Bytes that are often nearly UTF-8. */
  const nearly = fc
    .array(fc.oneof(fc.constantFrom(0x41, 0x80, 0xbf, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0x9f, 0xa0, 0x90, 0x8f), fc.nat(255)), {
      maxLength: 6,
    })
    .map((b) => Uint8Array.from(b));

  test("well-formed means what the engine's decoder means", () => {
    fc.assert(
      fc.property(nearly, (b) => expect(wellFormedUtf8(...whole(b))).toBe(wellFormedByEngine(b))),
      { numRuns: 5000 },
    );
  });

  test("what is valid decodes as the engine decodes it", () => {
    fc.assert(
      fc.property(nearly, (b) => {
        const s = readUtf8(...whole(b));
        expect(s !== null).toBe(validUtf8(...whole(b)));
        if (s !== null) expect(s).toBe(fatal.decode(b));
      }),
      { numRuns: 3000 },
    );
  });

  test("a string may be written when what is written may be read", () => {
    const near = fc.constantFrom(
      "a",
      "\u001f",
      " ",
      "~",
      "\u007f",
      "\u009f",
      "\u00a0",
      "\ud7ff",
      "\ud800",
      "\udfff",
      "\ue000",
      "\ufdcf",
      "\ufdd0",
    );
    const more = fc.constantFrom("\ufdef", "\ufdf0", "\ufffd", "\ufffe", "\uffff", "\u{1fffd}", "\u{1fffe}", "\u{10ffff}", "\u{1f680}");
    fc.assert(
      fc.property(fc.array(fc.oneof(near, more, fc.string({ unit: "binary", maxLength: 1 })), { maxLength: 4 }), (parts) => {
        const s = parts.join("");
        const written = Buffer.from(s);
        expect(isMqttString(s)).toBe(s.isWellFormed() && validUtf8(...whole(written)));
      }),
      { numRuns: 3000 },
    );
    for (const [length, may] of [
      [65_535, true],
      [65_536, false],
    ] as const)
      expect(isMqttString("x".repeat(length))).toBe(may);
    expect([isMqttString("é".repeat(32_767)), isMqttString("é".repeat(32_768)), isMqttString(5)]).toEqual([true, false, false]);
  });

  test("strings come back as written, from within a larger buffer", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), fc.nat(9), (s, at) => {
        const out = new Uint8Array(at + utf8Length(s) + 3).fill(0xc3);
        const n = writeUtf8(out, at, s);
        expect(n).toBe(utf8Length(s));
        expect(fatal.decode(out.subarray(at, at + n))).toBe(s);
        expect(out[at + n]).toBe(0xc3);
      }),
    );
  });

  test("never looks behind the end", () => {
    fc.assert(
      fc.property(nearly, nearly, (b, tail) => {
        const joined = new Uint8Array([...b, ...tail]);
        expect(validUtf8(joined, 0, b.length)).toBe(validUtf8(...whole(b)));
        expect(wellFormedUtf8(joined, 0, b.length)).toBe(wellFormedUtf8(...whole(b)));
      }),
      { numRuns: 3000 },
    );
  });
});
