/** What the fuzzer does to a broker: each attack has a connection of its own, and follows from its random numbers alone. */

import { CONNECT, checkFlags, DISCONNECT, frameLength, PINGREQ, PUBLISH } from "../../server/mqtt/frame.ts";
import { ProtocolError, type ProtocolVersion } from "../../server/mqtt/types.ts";
import { decode } from "../packets/decode.ts";
import { CLIENT_ROWS } from "../packets/index.ts";
import { bytes, packet, varInt } from "../packets/wire.ts";
import { PATIENCE_MS } from "../support/until.ts";
import { mutate, type Rng } from "./mutate.ts";
import { Link, type Way, wsFrame } from "./wire_link.ts";

export interface Ports {
  tcp: number;
  ws: number;
}

/** Throws (with words) when the broker did what it must not. */
export type Attack = (ports: Ports, rng: Rng, id: string) => Promise<void>;

const SEEDS = CLIENT_ROWS.map((r) => r.bytes).filter((b) => b.length < 2000);
const PING = Uint8Array.of(PINGREQ << 4, 0);
const ANSWER_MS = PATIENCE_MS;

const hex = (b: Uint8Array): string => Buffer.from(b.subarray(0, 200)).toString("hex") + (b.length > 200 ? `… (${b.length} bytes)` : "");
const wayOf = (rng: Rng): Way => (rng.below(3) === 0 ? "ws" : "tcp");
const portOf = (ports: Ports, way: Way): number => (way === "ws" ? ports.ws : ports.tcp);

export function connectBytes(version: ProtocolVersion, clientId: string, more = ""): Uint8Array {
  const name = version === 3 ? '"MQIsdp"' : '"MQTT"';
  return packet(0x10, `${name} 0${version} 02 0000 ${version === 5 ? `{${more}}` : ""} "${clientId}"`);
}

async function connected(ports: Ports, way: Way, version: ProtocolVersion, id: string, more = ""): Promise<Link> {
  const link = await Link.open(way, portOf(ports, way), version);
  link.send(connectBytes(version, id, more));
  if (!(await link.until(() => link.has("connack"), ANSWER_MS)))
    throw new Error(`no CONNACK for a good CONNECT (${way}, version ${version})`);
  link.packets.splice(0);
  return link;
}

/** In one piece, in a few, or byte by byte. */
function feed(link: Link, input: Uint8Array, rng: Rng): void {
  const style = rng.below(4);
  if (style > 1) {
    link.send(input);
    return;
  }
  for (let at = 0; at < input.length; ) {
    const n = style === 0 ? 1 : 1 + rng.below(40);
    link.send(input.subarray(at, at + n));
    at += n;
  }
}

/** A refused packet ends the connection: in 5.0 with a DISCONNECT as the last word, before that with nothing. */
async function expectEnd(link: Link, what: string, codes: readonly number[] | null): Promise<void> {
  await link.until(() => link.closed, ANSWER_MS);
  if (!link.closed) throw new Error(`${what}: the connection is still open`);
  const last = link.packets.at(-1);
  if (link.version !== 5) {
    if (link.has("disconnect")) throw new Error(`${what}: a DISCONNECT for a client of 3.x`);
    return;
  }
  if (last?.cmd !== "disconnect") throw new Error(`${what}: closed without DISCONNECT (${link.outcome})`);
  const code = last.reasonCode ?? 0;
  if (code < 0x80 || (codes !== null && !codes.includes(code))) {
    throw new Error(
      `${what}: reason 0x${code.toString(16)}, expected ${codes?.map((c) => `0x${c.toString(16)}`).join(" or ") ?? "an error"}`,
    );
  }
}

/** One mutated packet on a good connection: what our decoder refuses must be refused on the wire with that reason, and only so. */
export async function judge(ports: Ports, way: Way, version: ProtocolVersion, input: Uint8Array, id: string, rng: Rng): Promise<void> {
  const link = await connected(ports, way, version, id);
  try {
    await judgeOn(link, input, rng);
  } finally {
    link.destroy();
  }
  if (link.nonsense !== null) throw new Error(`${hex(input)}: the broker sent what mqtt-packet refuses: ${link.nonsense}`);
}

async function judgeOn(link: Link, input: Uint8Array, rng: Rng): Promise<void> {
  const { way, version } = link;
  const length = frameLength(input, 0, input.length, version);
  const whole = length > 0 && length <= input.length;
  const one = whole ? input.subarray(0, length) : input;
  feed(link, one, rng);
  const what = `${way}, version ${version}, ${hex(one)}`;
  const verdict = length === 0 || !whole ? null : decode(one, version);
  if (length < 0) return await expectEnd(link, what, [0x81]);
  if (verdict === null) {
    // Cut short: whatever comes next belongs to it, so the broker has to wait.
    if (await link.until(() => link.closed, 20)) await expectEnd(link, what, null);
    return;
  }
  // A second CONNECT is a fault whatever is in it [MQTT-3.1.0-2].
  if ((one[0] as number) >> 4 === CONNECT) {
    // The flags of its header are looked at before anything else [MQTT-2.1.3-1].
    const flags = checkFlags(one[0] as number, version) ? [] : [0x81];
    return await expectEnd(link, what, [0x82, ...flags, ...(verdict instanceof ProtocolError ? [verdict.code] : [])]);
  }
  if (verdict instanceof ProtocolError) {
    // Topic and properties of a PUBLISH can both be wrong; which is seen first is nobody's business.
    const others = (one[0] as number) >> 4 === PUBLISH ? [0x81, 0x82, 0x90, 0x94, 0x99] : [];
    return await expectEnd(link, `${what} (${verdict.why})`, [verdict.code, ...others]);
  }
  // A DISCONNECT is obeyed; the rest may break a rule of the session, but never in silence.
  if ((one[0] as number) >> 4 === DISCONNECT) {
    await link.until(() => link.closed, ANSWER_MS);
    if (!link.closed) throw new Error(`${what}: DISCONNECT did not end the connection`);
    return;
  }
  link.send(PING);
  await link.until(() => link.has("pingresp"), ANSWER_MS);
  if (link.has("pingresp")) return;
  if (!link.closed) throw new Error(`${what}: neither an answer nor an end`);
  await expectEnd(link, what, null);
}

const mutated: Attack = (ports, rng, id) => judge(ports, wayOf(rng), rng.pick([3, 4, 5] as const), mutate(SEEDS, rng), id, rng);

/** Packets of every kind in a row, with or without a CONNECT, and an end whenever it comes. */
const stream: Attack = async (ports, rng, id) => {
  const way = wayOf(rng);
  const version = rng.pick([3, 4, 5] as const);
  const link = await Link.open(way, portOf(ports, way), version);
  const parts = rng.below(4) === 0 ? [] : [connectBytes(version, id)];
  for (let n = rng.below(8); n >= 0; n--) parts.push(rng.below(3) === 0 ? rng.pick(SEEDS) : mutate(SEEDS, rng));
  feed(link, Buffer.concat(parts), rng);
  await link.until(() => link.closed, rng.below(30));
  link.destroy();
};

/** Anything but a good CONNECT as the first packet: refused, never answered by anything but CONNACK. */
const noConnect: Attack = async (ports, rng) => {
  const way = wayOf(rng);
  const input = rng.below(2) === 0 ? mutate(SEEDS, rng) : mutate([connectBytes(5, "x"), connectBytes(4, "x"), connectBytes(3, "x")], rng);
  const link = await Link.open(way, portOf(ports, way), 5);
  feed(link, input, rng);
  await link.until(() => link.closed || link.has("connack"), 20);
  const first = link.packets[0];
  link.destroy();
  if (first !== undefined && first.cmd !== "connack") throw new Error(`${hex(input)}: answered by ${first.cmd} before CONNECT`);
};

/** A length above the limit is refused by its header, whatever follows. */
const oversized: Attack = async (ports, rng, id) => {
  const way = wayOf(rng);
  const link = await connected(ports, way, 5, id);
  const length = 1024 * 1024 + 1 + rng.below(200_000_000);
  const first = rng.pick([0x30, 0x32, 0x82, 0xa2, 0xe0, 0xf0]);
  link.send(Uint8Array.from([first, ...varInt(length)]));
  const trickle = rng.below(3);
  for (let n = 0; n < trickle; n++) link.send(Buffer.alloc(1000, 0x61));
  await expectEnd(link, `${way}, a packet of ${length} bytes announced`, [0x95]);
  link.destroy();
};

/** Topics and filters with as many levels as their length allows. */
const deep: Attack = async (ports, rng, id) => {
  const way = wayOf(rng);
  const link = await connected(ports, way, 5, id);
  const size = 1000 + rng.below(64_000);
  const shape = rng.pick(["/", "a/", "+/", "+/a/"]);
  const filter = shape.repeat(Math.floor(size / shape.length)) + rng.pick(["#", "+", "", "x"]);
  const topic = filter.replaceAll("+", "b").replaceAll("#", "c");
  const text = (s: string): number[] => [s.length >> 8, s.length & 255, ...Buffer.from(s)];
  const wrap = (first: number, body: number[]): Uint8Array => Uint8Array.from([first, ...varInt(body.length), ...body]);
  const levels = `${way}, ${filter.split("/").length} levels`;
  link.send(wrap(0x82, [0, 1, 0, ...text(filter), 1]));
  link.send(wrap(0x32, [...text(topic), 0, 2, 0, 0x78]));
  link.send(wrap(0xa2, [0, 3, 0, ...text(filter)]));
  link.send(PING);
  await link.until(() => link.has("pingresp"), ANSWER_MS);
  for (const kind of ["suback", "puback", "publish", "unsuback", "pingresp"] as const) {
    if (!link.has(kind)) throw new Error(`${levels}: no ${kind} (${link.packets.map((p) => p.cmd).join(", ")})`);
  }
  link.destroy();
};

/** Thousands of user properties are allowed; thousands of a single one are not. */
const properties: Attack = async (ports, rng, id) => {
  const way = wayOf(rng);
  const link = await connected(ports, way, 5, id);
  const n = 100 + rng.below(8000);
  const good = rng.below(2) === 0;
  const block = bytes((good ? '26 "k" "v" ' : rng.pick(["01 01 ", "23 0001 ", "02 00000001 ", '03 "t" '])).repeat(n));
  const body = Buffer.concat([bytes('"fuzz/properties" 0001'), Uint8Array.from(varInt(block.length)), block, Buffer.from("payload")]);
  link.send(Buffer.concat([Uint8Array.from([0x32, ...varInt(body.length)]), body]));
  const what = `${way}, ${n} ${good ? "user properties" : "properties of a kind that may come once"}`;
  if (!good) await expectEnd(link, what, [0x82]);
  else if (!(await link.until(() => link.has("puback"), ANSWER_MS))) throw new Error(`${what}: no PUBACK`);
  link.destroy();
};

/** Acknowledgements of what was never sent, and QoS 2 messages that are never released, up to and above the Receive Maximum. */
const acks: Attack = async (ports, rng, id) => {
  const way = wayOf(rng);
  const link = await connected(ports, way, 5, id);
  const parts: Uint8Array[] = [];
  for (let n = rng.below(500); n > 0; n--) {
    const packetId = 1 + rng.below(65535);
    parts.push(Uint8Array.of(rng.pick([0x40, 0x50, 0x62, 0x70]), 2, packetId >> 8, packetId & 255));
  }
  link.send(Buffer.concat(parts));
  link.send(PING);
  if (!(await link.until(() => link.has("pingresp"), ANSWER_MS)))
    throw new Error(`${way}: acknowledgements of nothing ended the connection`);
  const flood = Array.from({ length: 150 }, (_, i) => packet(0x34, `"fuzz/q2" 00${(i + 1).toString(16).padStart(2, "0")} {}`));
  link.send(Buffer.concat(flood));
  await expectEnd(link, `${way}, 150 QoS 2 messages without PUBREL`, [0x93]);
  link.destroy();
};

/** Frames that no client may send, and requests that are none. */
const webSocket: Attack = async (ports, rng, id) => {
  if (rng.below(3) === 0) {
    const link = await Link.open("ws", ports.ws, 5, true);
    const head = Buffer.from(
      "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    feed(link, mutate([head], rng), rng);
    await link.until(() => link.closed, 20);
    link.destroy();
    return;
  }
  const link = await connected(ports, "ws", 5, id);
  const good = wsFrame(PING);
  const bad = rng.pick<Buffer>([
    // Text; unmasked; reserved bits and opcodes; a ping too long or in pieces; a continuation of nothing; 2^63 and 2^40 bytes.
    wsFrame(PING, 0x81),
    Buffer.from([0x82, 2, 0xc0, 0]),
    wsFrame(PING, 0xc2),
    wsFrame(PING, 0x83),
    wsFrame(Buffer.alloc(126), 0x89),
    wsFrame(PING, 0x09),
    wsFrame(PING, 0x80),
    Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
    Buffer.from([0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
  ]);
  link.raw(good);
  feedRaw(link, rng.below(2) === 0 ? bad : Buffer.concat([good, bad, good]), rng);
  await link.until(() => link.closed, ANSWER_MS);
  const { closed, closeCode } = link;
  link.destroy();
  if (!closed) throw new Error(`bad WebSocket frame ${hex(bad)}: the connection is still open`);
  if (closeCode < 1000) throw new Error(`bad WebSocket frame ${hex(bad)}: closed without a close frame`);
};

function feedRaw(link: Link, input: Uint8Array, rng: Rng): void {
  if (rng.below(2) === 0) link.raw(input);
  else for (const b of input) link.raw(Uint8Array.of(b));
}

/** Weights stand for how much each kind may still find. */
export const ATTACKS: readonly (readonly [name: string, weight: number, attack: Attack])[] = [
  ["mutated packet", 12, mutated],
  ["stream of packets", 8, stream],
  ["no CONNECT", 4, noConnect],
  ["announced length", 2, oversized],
  ["deep topics", 1, deep],
  ["properties", 1, properties],
  ["acknowledgements", 1, acks],
  ["WebSocket frames", 3, webSocket],
];
