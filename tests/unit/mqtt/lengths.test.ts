/** Variable Byte Integers at the places where their size changes, in the frame and in front of the properties of a PUBLISH. */
import { describe, expect, test } from "bun:test";
import { bodyStart, frameLength, varIntSize, writeVarInt } from "../../../server/mqtt/frame.ts";
import { PublishView, readPublish } from "../../../server/mqtt/packets/publish.ts";

/** The least and the most of each size (table 1-1), and their neighbours. */
const EDGES = [0, 1, 127, 128, 129, 255, 256, 16_383, 16_384, 16_385, 2_097_151, 2_097_152, 2_097_153];

describe("the frame", () => {
  test.each([...EDGES, 268_435_455])("a remaining length of %d", (value) => {
    const out = new Uint8Array(5);
    const end = writeVarInt(out, 1, value);
    expect(end).toBe(1 + varIntSize(value));
    expect(bodyStart(out, 0)).toBe(end);
    expect(frameLength(out, 0, end)).toBe(end + value);
  });
});

describe("the properties of a PUBLISH", () => {
  /** PUBLISH QoS 0 to "t" with `length` bytes of properties and one of payload; the body alone. */
  function body(length: number): { bytes: Uint8Array; propsStart: number } {
    const bytes = new Uint8Array(3 + 4 + length + 1);
    bytes.set([0, 1, 0x74]);
    const propsStart = writeVarInt(bytes, 3, length);
    return { bytes: bytes.subarray(0, propsStart + length + 1), propsStart };
  }
  /** In a packet, after its header. */
  const read = (bytes: Uint8Array, view: PublishView): number => {
    const packet = new Uint8Array(bytes.length + 1);
    packet[0] = 0x30;
    packet.set(bytes, 1);
    return readPublish(packet, 0, 1, packet.length, 5, view);
  };

  test.each(EDGES)("a length of %d", (length) => {
    const { bytes, propsStart } = body(length);
    const view = new PublishView();
    expect(read(bytes, view)).toBe(0);
    expect([view.propsStart, view.propsEnd, view.payloadStart, view.end].map((at) => at - 1)).toEqual([
      propsStart,
      propsStart + length,
      propsStart + length,
      bytes.length,
    ]);
  });

  test.each([
    ["more bytes than needed [MQTT-1.5.5-1]", [0, 1, 0x74, 0x80, 0]],
    ["five bytes", [0, 1, 0x74, 0x80, 0x80, 0x80, 0x80, 1]],
    ["cut short", [0, 1, 0x74, 0x80]],
    ["none", [0, 1, 0x74]],
    ["longer than the packet", [0, 1, 0x74, 2, 1]],
  ])("%s: malformed", (_, bytes) => {
    expect(read(Uint8Array.from(bytes), new PublishView())).toBe(0x81);
  });
});
