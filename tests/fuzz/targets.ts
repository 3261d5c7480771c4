/** What is fuzzed: the decoders, each with the rule that its results must keep. Seeds are the packet tables. */
import { parser } from "mqtt-packet";
import { frameLength, PUBLISH } from "../../server/mqtt/frame.ts";
import { encodePublish } from "../../server/mqtt/packets/publish.ts";
import { parseSharedFilter, topicLevels, topicMatches, validTopicFilter, validTopicName } from "../../server/mqtt/topic.ts";
import { ProtocolError, type ProtocolVersion } from "../../server/mqtt/types.ts";
import { readUtf8, validUtf8, wellFormedUtf8 } from "../../server/mqtt/utf8.ts";
import { decode, decodeAt } from "../packets/decode.ts";
import { CLIENT_ROWS, CLIENT_TABLES } from "../packets/index.ts";
import type { PublishValue } from "../packets/publish.ts";
import { isGood } from "../packets/types.ts";
import type { Target } from "./fuzz.ts";
import { SQL } from "./sql.ts";

const VERSIONS: readonly ProtocolVersion[] = [3, 4, 5];
const ALL_SEEDS = CLIENT_ROWS.map((r) => r.bytes).filter((b) => b.length < 2000);

export function same(a: unknown, b: unknown, what: string): void {
  if (!Bun.deepEquals(a, b)) throw new Error(`${what}: ${Bun.inspect(a)} is not ${Bun.inspect(b)}`);
}

/** `input` between other bytes must mean the same as alone: whoever reads too far sees them. */
export function contained(input: Uint8Array, at: (buf: Uint8Array, pos: number, end: number) => unknown): unknown {
  const alone = at(input, 0, input.length);
  for (const filler of [0x00, 0x01, 0x61, 0xff]) {
    const framed = new Uint8Array(input.length + 16).fill(filler);
    framed.set(input, 8);
    same(at(framed, 8, 8 + input.length), alone, `read outside its packet, ${filler} around it`);
  }
  return alone;
}

/** A refusal must have a code of the range of errors and words; strings must be well-formed, numbers in range. */
function plausible(value: unknown): void {
  if (value instanceof ProtocolError) {
    if (value.code < 0x80 || value.code > 0xa2 || value.why === "") throw new Error(`odd refusal ${value.code} ${value.why}`);
  } else if (typeof value === "string") {
    if (!value.isWellFormed() || value.includes("\0")) throw new Error(`odd string ${JSON.stringify(value)}`);
  } else if (typeof value === "number") {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw new Error(`odd number ${value}`);
  } else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    for (const inner of Object.values(value)) plausible(inner);
  }
}

function decodeTarget(name: string, seeds: readonly Uint8Array[], smoke: number): Target {
  return {
    name,
    seeds,
    smoke,
    check(input) {
      for (const version of VERSIONS) plausible(contained(input, (buf, pos, end) => decodeAt(buf, pos, end, version)));
    },
  };
}

/** What was understood must come out the same when it is sent on. */
function checkRoundTrip(input: Uint8Array): void {
  for (const version of VERSIONS) {
    const got = decode(input, version) as PublishValue | ProtocolError | null;
    if (got === null || got instanceof ProtocolError || (input[0] as number) >> 4 !== PUBLISH) continue;
    const { topic, properties } = got;
    const header = { messageExpiry: properties.messageExpiry ?? -1, alias: properties.topicAlias ?? 0, sendTopic: topic !== "" };
    const again = encodePublish(version, got, { ...got, ...header, subIds: null });
    same(decode(again, version), got, "sent on");
  }
}

/** What mqtt-packet refuses in a packet of MQTT 3.1 and we accept, knowingly. */
const THEIR_OPINION: readonly RegExp[] = [
  // It says nothing of these bits without a will.
  /^Will (Retain Flag|QoS) must be set to zero/,
  // It allows the flags of a user name and password that do not follow.
  /^Cannot parse (username|password)/,
  // It does not use the bits that later versions reserve.
  /^Connect flag bit 0 must be 0/,
  /^Invalid header flag bits/,
];

/** Whatever we accept, mqtt-packet must accept as well: we are the strict ones. */
function checkAgainstMqttPacket(input: Uint8Array): void {
  for (const version of VERSIONS) {
    const ours = decode(input, version);
    if (ours === null || ours instanceof ProtocolError) continue;
    const seen: unknown[] = [];
    const theirs = parser({ protocolVersion: version });
    theirs.on("packet", (p) => seen.push(p));
    theirs.on("error", (e) => seen.push(e));
    // The one packet only: their DISCONNECT without properties goes on reading in the next packet.
    theirs.parse(Buffer.from(input.subarray(0, frameLength(input, 0, input.length, version))));
    const refusal = seen[0] instanceof Error ? seen[0].message : null;
    if (refusal === null) continue;
    if (((ours as { version?: number }).version ?? version) === 3 && THEIR_OPINION.some((r) => r.test(refusal))) continue;
    throw new Error(`version ${version}: we accept ${Bun.inspect(ours)}, mqtt-packet says ${refusal}`);
  }
}

function checkUtf8(input: Uint8Array): void {
  contained(input, validUtf8);
  contained(input, wellFormedUtf8);
  const s = contained(input, readUtf8) as string | null;
  let engine: string | null = null;
  try {
    engine = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(input);
  } catch {
    // Not well-formed: engine stays null.
  }
  same(wellFormedUtf8(input, 0, input.length), engine !== null, "well-formed");
  if (s !== null) same(s, engine, "decoded");
  const clean = engine !== null && !/[\p{Cc}\p{Noncharacter_Code_Point}]/u.test(engine);
  same(s !== null, clean, "accepted");
}

function checkTopics(input: Uint8Array): void {
  const s = new TextDecoder().decode(input);
  const [name = "", filter = ""] = s.split("\n");
  const parsed = parseSharedFilter(filter);
  if (parsed !== null && !(validTopicFilter(filter) && validTopicFilter(parsed.filter))) throw new Error("invalid filter was parsed");
  if (!validTopicName(name)) return;
  if (!topicMatches(name, name)) throw new Error("a topic does not select itself");
  if (topicMatches(name, "#") === name.startsWith("$")) throw new Error("# and $");
  const pluses = Array.from({ length: topicLevels(name) }, () => "+").join("/");
  if (topicMatches(name, pluses) === name.startsWith("$")) throw new Error("+ and $");
  if (validTopicFilter(filter)) same(topicMatches(name, filter), byLevels(name, filter), "match");
}

/** Section 4.7, level by level. */
function byLevels(topic: string, filter: string): boolean {
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  const t = topic.split("/");
  const f = filter.split("/");
  for (const [i, level] of f.entries()) {
    if (level === "#") return true;
    if (i >= t.length || (level !== "+" && level !== t[i])) return false;
  }
  return f.length === t.length;
}

const utf8 = (s: string): Uint8Array => new TextEncoder().encode(s);
const TOPIC_SEEDS = [
  "a/b\na/+",
  "a/b/c\na/#",
  "$SYS/x\n+/x",
  "$SYS/x\n#",
  "/\n+/+",
  "a\n$share/g/a",
  "a//b\na/+/b",
  "a\na/#",
  "温/é\n$queue/+/é",
].map(utf8);
const UTF8_SEEDS = ["", "abc", "é温🚀", "\ufeffa", "\ufdcf\ufdf0\ufffd", "a\u00a0", "\u{1fffd}\u{10fffd}", "\ud7ff\ue000"].map(utf8);
const PUBLISH_SEEDS = (CLIENT_TABLES.PUBLISH ?? []).filter((r) => isGood(r) && r.bytes.length < 2000).map((r) => r.bytes);
const GOOD_SEEDS = CLIENT_ROWS.filter((r) => isGood(r) && r.bytes.length < 2000).map((r) => r.bytes);

export const TARGETS: readonly Target[] = [
  decodeTarget("any packet", ALL_SEEDS, 6000),
  ...Object.entries(CLIENT_TABLES).map(([name, rows]) =>
    decodeTarget(
      name,
      rows.map((r) => r.bytes).filter((b) => b.length < 2000),
      2000,
    ),
  ),
  { name: "PUBLISH sent on", seeds: PUBLISH_SEEDS, check: checkRoundTrip, smoke: 4000 },
  { name: "not laxer than mqtt-packet", seeds: GOOD_SEEDS, check: checkAgainstMqttPacket, smoke: 4000 },
  { name: "UTF-8", seeds: UTF8_SEEDS, check: checkUtf8, smoke: 6000 },
  { name: "topics", seeds: TOPIC_SEEDS, check: checkTopics, smoke: 4000 },
  SQL,
];

/** Bugs planted on purpose, of the kinds we look for. They must be found, or the fuzzer is blind. */
export const CANARIES: readonly Target[] = [
  {
    name: "canary: throws at an unlucky property",
    seeds: PUBLISH_SEEDS,
    smoke: 20_000,
    check(input) {
      const got = decode(input, 5);
      if (got instanceof ProtocolError && got.why.includes("more than once")) throw new Error("planted");
    },
  },
  {
    name: "canary: reads one byte too many",
    seeds: ALL_SEEDS,
    smoke: 20_000,
    check(input) {
      contained(input, (buf, pos, end) => decodeAt(buf, pos, Math.min(end + 1, buf.length), 5));
    },
  },
  {
    name: "canary: accepts overlong UTF-8",
    seeds: UTF8_SEEDS,
    smoke: 50_000,
    check(input) {
      const lenient = new TextDecoder().decode(input);
      if (!validUtf8(input, 0, input.length) && !lenient.includes("\ufffd") && lenient.includes("\u007f")) throw new Error("planted");
    },
  },
];
