/** Every row of the packet tables, decoded or encoded. */
import { describe, expect, test } from "bun:test";
import { DISCONNECT, PUBACK, PUBCOMP, PUBREC, PUBREL } from "../../../server/mqtt/frame.ts";
import { writeAck } from "../../../server/mqtt/packets/acks.ts";
import { encodeAuth } from "../../../server/mqtt/packets/auth.ts";
import { encodeConnack } from "../../../server/mqtt/packets/connack.ts";
import { encodeDisconnect } from "../../../server/mqtt/packets/disconnect.ts";
import { PINGRESP } from "../../../server/mqtt/packets/ping.ts";
import { encodePublish, publishPacketIdOffset } from "../../../server/mqtt/packets/publish.ts";
import { encodeSuback } from "../../../server/mqtt/packets/suback.ts";
import { encodeUnsuback } from "../../../server/mqtt/packets/unsuback.ts";
import { ProtocolError } from "../../../server/mqtt/types.ts";
import { decode, decodeAt } from "../../packets/decode.ts";
import { CLIENT_ROWS, CLIENT_TABLES } from "../../packets/index.ts";
import {
  CONNACK_ROWS,
  PINGRESP_BYTES,
  PUBLISH_HEADER,
  SERVER_ACK_ROWS,
  SERVER_AUTH_ROWS,
  SERVER_DISCONNECT_ROWS,
  SERVER_PUBLISH_ROWS,
  SUBACK_ROWS,
  UNSUBACK_ROWS,
} from "../../packets/server.ts";
import { isGood } from "../../packets/types.ts";

for (const [name, rows] of Object.entries(CLIENT_TABLES)) {
  describe(`from clients: ${name}`, () => {
    for (const row of rows) {
      test(`${row.name}, version ${row.version}`, () => {
        const got = decode(row.bytes, row.version);
        if (isGood(row)) expect(got).toEqual(row.value);
        else expect(got).toMatchObject({ code: row.error, why: expect.stringMatching(/./) });
        expect(got instanceof ProtocolError).toBe(!isGood(row));
      });
    }
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

const ENCODERS: [string, readonly { name: string; version: number; bytes: Uint8Array; encode: () => Uint8Array }[]][] = [
  ["CONNACK", CONNACK_ROWS.map((r) => ({ ...r, encode: () => encodeConnack(...r.args) }))],
  ["PUBLISH", SERVER_PUBLISH_ROWS.map((r) => ({ ...r, encode: () => encodePublish(...r.args) }))],
  ["SUBACK", SUBACK_ROWS.map((r) => ({ ...r, encode: () => encodeSuback(...r.args) }))],
  ["UNSUBACK", UNSUBACK_ROWS.map((r) => ({ ...r, encode: () => encodeUnsuback(...r.args) }))],
  ["DISCONNECT", SERVER_DISCONNECT_ROWS.map((r) => ({ ...r, encode: () => encodeDisconnect(...r.args) }))],
  ["AUTH", SERVER_AUTH_ROWS.map((r) => ({ ...r, encode: () => encodeAuth(...r.args) }))],
  ["PINGRESP", [{ name: "[MQTT-3.12.4-1]", version: 4, bytes: PINGRESP_BYTES, encode: () => PINGRESP }]],
  [
    "acknowledgements",
    SERVER_ACK_ROWS.map((r) => ({
      ...r,
      encode: () => {
        const out = new Uint8Array(20);
        return out.subarray(7, 7 + writeAck(out, 7, ...r.args));
      },
    })),
  ],
];

for (const [name, rows] of ENCODERS) {
  describe(`to clients: ${name}`, () => {
    for (const row of rows) {
      test(`${row.name}, version ${row.version}`, () => expect(hex(row.encode())).toBe(hex(row.bytes)));
    }
  });
}

describe("tables", () => {
  test("names are unique within a table", () => {
    for (const rows of Object.values(CLIENT_TABLES)) {
      const names = rows.map((r) => `${r.name}/${r.version}`);
      expect(names.filter((n, i) => names.indexOf(n) !== i)).toEqual([]);
    }
  });

  test("nothing outside the packet is looked at, before it or behind it", () => {
    for (const row of CLIENT_ROWS) {
      const alone = decode(row.bytes, row.version);
      for (const filler of [0x00, 0x61, 0xff]) {
        const framed = new Uint8Array(row.bytes.length + 40).fill(filler);
        framed.set(row.bytes, 20);
        expect([row.name, decodeAt(framed, 20, 20 + row.bytes.length, row.version)]).toEqual([row.name, alone]);
      }
    }
  });

  test("a packet cut anywhere in its body is refused or differs, never read on", () => {
    // Acknowledgements and DISCONNECT may leave out their tail, which is its default.
    const optionalTail = [PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT];
    for (const row of CLIENT_ROWS.filter(isGood)) {
      if (optionalTail.includes((row.bytes[0] as number) >> 4)) continue;
      for (let cut = 2; cut < row.bytes.length; cut++) {
        const shorter = row.bytes.slice(0, cut);
        if (cut < 130) shorter[1] = cut - 2;
        const got = decode(shorter, row.version);
        if (got !== null) expect([row.name, cut, got]).not.toEqual([row.name, cut, row.value]);
      }
    }
  });
});

describe("packet identifier of an encoded PUBLISH", () => {
  test("its place is found whatever the lengths before it", () => {
    for (const size of [0, 100, 200, 20_000]) {
      for (const version of [4, 5] as const) {
        const m = { topic: `t/${"x".repeat(size)}`, payload: new Uint8Array(size), properties: null };
        const out = encodePublish(version, m, { ...PUBLISH_HEADER, qos: 1, packetId: 0xabcd });
        const at = publishPacketIdOffset(out);
        expect([out[at], out[at + 1]]).toEqual([0xab, 0xcd]);
      }
    }
  });
});
