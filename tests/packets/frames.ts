/** Fixed headers: what `frameLength` must say of the first bytes of a stream. */
import { bytes } from "./wire.ts";

export interface FrameRow {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Bytes of the packet; 0 = header incomplete; -1 = malformed. */
  readonly length: number;
  /** Result for 3.x where that differs. */
  readonly lengthV3?: number;
}

function row(name: string, notation: string, length: number, lengthV3?: number): FrameRow {
  return { name, bytes: bytes(notation), length, ...(lengthV3 === undefined ? {} : { lengthV3 }) };
}

export const FRAME_ROWS: readonly FrameRow[] = [
  row("nothing yet", "", 0),
  row("first byte only", "c0", 0),
  row("empty packet", "c0 00", 2),
  row("one length byte", "30 7f", 129),
  row("length byte to be continued", "30 80", 0),
  row("two length bytes, smallest", "30 8001", 131),
  row("two length bytes, largest", "30 ff7f", 16_386),
  row("two bytes to be continued", "30 ffff", 0),
  row("three length bytes, smallest", "30 808001", 16_388),
  row("three length bytes, largest", "30 ffff7f", 2_097_155),
  row("three bytes to be continued", "30 ffffff", 0),
  row("four length bytes, smallest", "30 80808001", 2_097_157),
  row("four length bytes, largest", "30 ffffff7f", 268_435_460),
  row("fifth length byte", "30 8080808001", -1),
  row("fifth length byte to come", "30 ffffffff", -1),
  row("[MQTT-1.5.5-1] zero in two bytes", "c0 8000", -1, 3),
  row("[MQTT-1.5.5-1] one in two bytes", "c0 8100", -1, 4),
  row("[MQTT-1.5.5-1] 127 in four bytes", "30 ff808000", -1, 132),
  row("bytes of the next packet behind it", "c000 c000", 2),
];

/** Every first byte, and whether its flags are right [MQTT-2.1.3-1]; PUBLISH is `readPublish`'s business. */
export const GOOD_FIRST_BYTES: readonly number[] = [
  0x10, 0x20, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x40, 0x50, 0x62, 0x70, 0x82,
  0x90, 0xa2, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0,
];
