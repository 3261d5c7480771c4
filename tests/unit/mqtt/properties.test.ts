import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  PROPERTIES,
  type Properties,
  type PropertyPacket,
  type PropertySpec,
  propertiesSize,
  readProperties,
  writeProperties,
} from "../../../server/mqtt/properties.ts";
import { Reader } from "../../../server/mqtt/reader.ts";
import { RC } from "../../../server/mqtt/reason_codes.ts";
import { varInt } from "../../packets/wire.ts";

const PACKETS: PropertyPacket[] = [
  "connect",
  "will",
  "connack",
  "publish",
  "ack",
  "subscribe",
  "suback",
  "unsubscribe",
  "unsuback",
  "disconnect",
  "auth",
];

/** Table 2-4 in short, written down a second time: identifier -> packets. */
const TABLE_2_4: Record<number, string> = {
  1: "publish will",
  2: "publish will",
  3: "publish will",
  8: "publish will",
  9: "publish will",
  11: "publish subscribe",
  17: "connect connack disconnect",
  18: "connack",
  19: "connack",
  21: "connect connack auth",
  22: "connect connack auth",
  23: "connect",
  24: "will",
  25: "connect",
  26: "connack",
  28: "connack disconnect",
  31: "connack ack suback unsuback disconnect auth",
  33: "connect connack",
  34: "connect connack",
  35: "publish",
  36: "connack",
  37: "connack",
  38: PACKETS.join(" "),
  39: "connect connack",
  40: "connack",
  41: "connack",
  42: "connack",
};

function sample(p: PropertySpec): Properties {
  const value = {
    bit: 1,
    bool: true,
    u16: 0x1234,
    u32: 0x12345678,
    varint: [300],
    string: "text",
    binary: Uint8Array.of(0, 255),
    pair: [["k", "v"]],
  }[p.type];
  return { [p.name]: value } as Properties;
}

function encoded(p: Properties, copies = 1): Uint8Array {
  const one = new Uint8Array(propertiesSize(p));
  expect(writeProperties(one, 0, p)).toBe(one.length);
  const block = Array.from({ length: copies }, () => [...one]).flat();
  return Uint8Array.from([...varInt(block.length), ...block]);
}

function read(block: Uint8Array, packet: PropertyPacket): { value: Properties | null; code: number; pos: number } {
  const r = new Reader(block, 0, block.length);
  const value = readProperties(r, packet);
  return { value, code: r.error?.code ?? 0, pos: r.pos };
}

describe("the table", () => {
  test("is table 2-4 of the specification", () => {
    const ours = Object.fromEntries(PROPERTIES.map((p) => [p.id, [...p.packets].sort().join(" ")]));
    const spec = Object.fromEntries(Object.entries(TABLE_2_4).map(([id, packets]) => [id, packets.split(" ").sort().join(" ")]));
    expect(ours).toEqual(spec);
  });

  test("names and identifiers are unique", () => {
    expect(new Set(PROPERTIES.map((p) => p.id)).size).toBe(PROPERTIES.length);
    expect(new Set(PROPERTIES.map((p) => p.name)).size).toBe(PROPERTIES.length);
  });
});

describe("each property", () => {
  for (const p of PROPERTIES) {
    test(`${p.name} is read where it belongs, and malformed elsewhere (2.2.2.2)`, () => {
      const block = encoded(sample(p));
      for (const packet of PACKETS) {
        const got = read(block, packet);
        if (p.packets.includes(packet)) expect([packet, got]).toEqual([packet, { value: sample(p), code: 0, pos: block.length }]);
        else expect([packet, got.code]).toEqual([packet, RC.MALFORMED_PACKET]);
      }
    });

    test(`${p.name} twice`, () => {
      const block = encoded(sample(p), 2);
      for (const packet of p.packets) {
        expect([packet, read(block, packet).code]).toEqual([packet, p.repeatable.includes(packet) ? 0 : RC.PROTOCOL_ERROR]);
      }
    });

    test(`${p.name} cut at every byte`, () => {
      const block = encoded(sample(p)).subarray(1);
      for (let n = 1; n < block.length; n++) {
        const cut = Uint8Array.from([n, ...block.subarray(0, n)]);
        expect([n, read(cut, p.packets[0] as PropertyPacket).code]).toEqual([n, RC.MALFORMED_PACKET]);
      }
    });

    test(`${p.name} never reads behind the property length`, () => {
      const block = encoded(sample(p));
      const short = Uint8Array.from(block);
      short[0] = (block[0] as number) - 1;
      expect(read(short, p.packets[0] as PropertyPacket).code).toBe(RC.MALFORMED_PACKET);
    });
  }
});

describe("any properties", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "Z", "/", "é", "温", "🚀", " "), maxLength: 8 });
  const values = {
    bit: fc.constantFrom(0, 1),
    bool: fc.boolean(),
    u16: fc.integer({ min: 1, max: 0xffff }),
    u32: fc.integer({ min: 1, max: 0xffffffff }),
    varint: fc.integer({ min: 1, max: 268_435_455 }).map((n) => [n]),
    string: text,
    binary: fc.uint8Array({ maxLength: 300 }),
    pair: fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 5 }),
  };

  for (const packet of PACKETS) {
    const fields = PROPERTIES.filter((p) => p.packets.includes(packet)).map((p) => [p.name, values[p.type]]);
    const model = fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, {
      requiredKeys: [],
      noNullPrototype: true,
    });
    test(`of ${packet} come back as written`, () => {
      fc.assert(
        fc.property(model, (properties) => {
          const block = encoded(properties as Properties);
          const want = Object.keys(properties).length === 0 ? null : properties;
          expect(read(block, packet)).toEqual({ value: want as Properties | null, code: 0, pos: block.length });
        }),
      );
    });
  }

  test("of PUBLISH may repeat subscription identifiers", () => {
    const p = { subscriptionIds: [1, 128, 268_435_455, 1] };
    expect(read(encoded(p), "publish").value).toEqual(p);
  });

  test("random bytes: no exception, nothing read behind the end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(...PACKETS), (block, packet) => {
        const alone = read(block, packet);
        const joined = new Reader(new Uint8Array([...block, ...block]), 0, block.length);
        expect(readProperties(joined, packet)).toEqual(alone.value);
        expect(joined.pos).toBeLessThanOrEqual(block.length);
      }),
      { numRuns: 3000 },
    );
  });
});
