/** Properties that nobody decodes: only what the strict reader takes, and nothing that concerns the broker. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { plainProperties, readPublishProperties } from "../../../server/mqtt/packets/publish.ts";
import { type Properties, propertiesSize, writeProperties } from "../../../server/mqtt/properties.ts";
import { ProtocolError } from "../../../server/mqtt/types.ts";

function bytes(p: Properties): Uint8Array {
  const out = new Uint8Array(propertiesSize(p));
  writeProperties(out, 0, p);
  return out;
}
const plain = (b: Uint8Array): boolean => plainProperties(b, 0, b.length);

describe("what is plain", () => {
  test.each<[string, Properties]>([
    [
      "user properties, twice the same",
      {
        userProperties: [
          ["a", "b"],
          ["a", "b"],
          ["", ""],
          ["ключ", "值 🙂"],
        ],
      },
    ],
    ["content type", { contentType: "text/plain" }],
    ["no content type", { contentType: "" }],
    ["response topic", { responseTopic: "a/b" }],
    ["correlation data of any bytes", { correlationData: new Uint8Array([0, 255, 0]) }],
    ["a payload of unknown format", { payloadFormat: 0 }],
    [
      "all of them",
      { contentType: "x", responseTopic: "y", correlationData: new Uint8Array(1), payloadFormat: 0, userProperties: [["k", "v"]] },
    ],
  ])("%s", (_name, p) => expect(plain(bytes(p))).toBe(true));

  test.each<[string, Properties]>([
    ["a payload that must be looked at", { payloadFormat: 1 }],
    ["expiry", { messageExpiry: 1 }],
    ["alias", { topicAlias: 1 }],
    ["subscription identifiers", { subscriptionIds: [1] }],
    ["a response topic with a wildcard", { responseTopic: "a/+" }],
    ["… with the other one", { responseTopic: "#" }],
    ["… without a character", { responseTopic: "" }],
    ["a property of another packet", { reasonString: "x" }],
    ["one of them behind plain ones", { userProperties: [["k", "v"]], topicAlias: 1 }],
  ])("not: %s", (_name, p) => expect(plain(bytes(p))).toBe(false));

  test("nothing behind the end is looked at, and nothing may be missing before it", () => {
    const all = bytes({
      contentType: "x",
      responseTopic: "yy",
      correlationData: new Uint8Array(3),
      payloadFormat: 0,
      userProperties: [["k", "v"]],
    });
    const ends = [...all.keys()].filter((n) => plainProperties(all, 0, n));
    // Between properties: nothing, and behind each but the last.
    expect(ends).toHaveLength(5);
    const framed = Uint8Array.from([0xff, ...all, 0xff]);
    expect(plainProperties(framed, 1, framed.length - 1)).toBe(true);
    expect(plainProperties(framed, 1, framed.length)).toBe(false);
  });
});

test("what is plain the strict reader takes, and finds nothing in it that concerns the broker; whatever the bytes", () => {
  const text = fc.oneof(
    { weight: 9, arbitrary: fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 6 }) },
    { weight: 1, arbitrary: fc.constantFrom("", "a\u0000", "+", "a/#") },
  );
  const shared = {
    contentType: text,
    responseTopic: text,
    correlationData: fc.uint8Array({ maxLength: 4 }),
    userProperties: fc.array(fc.tuple(text, text), { maxLength: 3 }),
  };
  const more = { payloadFormat: fc.constantFrom<0 | 1>(0, 1), messageExpiry: fc.nat(9), topicAlias: fc.nat(2) };
  const some = fc.oneof(fc.record(shared, { requiredKeys: [] }), fc.record({ ...shared, ...more }, { requiredKeys: [] }));
  const changed = fc.tuple(
    fc.array(some, { minLength: 1, maxLength: 2 }),
    fc.array(fc.tuple(fc.nat(40), fc.nat(255)), { maxLength: 2 }),
    fc.nat(3),
  );
  let yes = 0;
  fc.assert(
    fc.property(changed, ([parts, changes, cut]) => {
      const all = Buffer.concat(parts.map((p) => bytes(p as Properties)));
      for (const [at, byte] of changes) if (at < all.length) all[at] = byte;
      const b = all.subarray(0, cut === 0 ? all.length : Math.max(0, all.length - cut));
      const strict = readPublishProperties(b, 0, b.length);
      if (!plain(b)) {
        if (strict instanceof ProtocolError) return;
        // What it takes and is not plain concerns the broker.
        expect([strict.payloadFormat === 1, strict.messageExpiry !== undefined, strict.topicAlias !== undefined]).toContain(true);
        return;
      }
      yes++;
      if (strict instanceof ProtocolError) throw new Error(strict.why);
      expect([strict.payloadFormat ?? 0, strict.messageExpiry, strict.topicAlias]).toEqual([0, undefined, undefined]);
    }),
    { numRuns: 5000 },
  );
  expect(yes).toBeGreaterThan(50);
});
