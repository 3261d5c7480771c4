/**
 * IP addresses and ranges: "10.0.0.1", "10.0.0.0/8", "::1", "fe80::/10". IPv4-mapped IPv6 addresses are IPv4 addresses,
 * so that a dual-stack listener and a plain one see the same client.
 */

/** 4 or 16 bytes. */
export type IpBytes = Uint8Array;

const MAPPED_PREFIX_BITS = 96;

/** null when the text is no IP address. A zone ("fe80::1%eth0") is cut off. */
export function parseIp(text: string): IpBytes | null {
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

function parseV4(text: string): IpBytes | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const out = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    // No leading zeros: some read them as octal, and an address must not mean two things.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    out[i] = Number(part);
  }
  return out;
}

function parseV6(text: string): IpBytes | null {
  const zone = text.indexOf("%");
  const groups = splitV6(zone < 0 ? text : text.slice(0, zone));
  if (groups?.length !== 8) return null;
  const out = new Uint8Array(16);
  for (const [i, g] of groups.entries()) {
    out[i * 2] = g >> 8;
    out[i * 2 + 1] = g & 0xff;
  }
  return isMapped(out) ? out.slice(12) : out;
}

/** The eight groups, "::" filled in. */
function splitV6(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  if (halves.length === 1) return head;
  const tail = parseGroups(halves[1] ?? "", true);
  if (!head || !tail || head.length + tail.length > 7) return null;
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** `last`: the text ends the address, so a dotted IPv4 address may stand at its end. */
function parseGroups(text: string, last: boolean): number[] | null {
  if (text === "") return [];
  const out: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes(".")) {
      const v4 = parseV4(part);
      if (!v4) return null;
      out.push(((v4[0] ?? 0) << 8) | (v4[1] ?? 0), ((v4[2] ?? 0) << 8) | (v4[3] ?? 0));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return null;
      out.push(Number.parseInt(part, 16));
    }
  }
  return out;
}

function isMapped(b: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (b[i] !== 0) return false;
  return b[10] === 0xff && b[11] === 0xff;
}

/** One text per address: IPv4 dotted, IPv6 in lower case with the longest run of zeros as "::" (RFC 5952). */
export function formatIp(ip: IpBytes): string {
  if (ip.length === 4) return ip.join(".");
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((ip[i] ?? 0) << 8) | (ip[i + 1] ?? 0));
  const { start, length } = longestZeroRun(groups);
  const hex = groups.map((g) => g.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  const best = { start: 0, length: 0 };
  let from = -1;
  for (const [i, g] of groups.entries()) {
    if (g !== 0) from = -1;
    else {
      if (from < 0) from = i;
      if (i - from + 1 > best.length) Object.assign(best, { start: from, length: i - from + 1 });
    }
  }
  return best;
}

/** A range of addresses of one family. */
export interface Cidr {
  /** First address of the range. */
  readonly base: IpBytes;
  readonly bits: number;
  /** Canonical text: "10.0.0.0/8"; a range of one address is written as the address. */
  readonly text: string;
  /** Exactly one address. */
  readonly single: boolean;
}

/** An address ("10.0.0.1": that one alone) or a range; null when it is neither. Host bits are cleared. */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf("/");
  const addressText = slash < 0 ? text : text.slice(0, slash);
  const ip = parseIp(addressText);
  if (!ip) return null;
  const full = ip.length * 8;
  let bits = full;
  if (slash >= 0) {
    const tail = text.slice(slash + 1);
    if (!/^\d{1,3}$/.test(tail)) return null;
    bits = Number(tail);
    // "::ffff:10.0.0.0/104" is "10.0.0.0/8".
    if (full === 32 && addressText.includes(":")) bits -= MAPPED_PREFIX_BITS;
    if (bits < 0 || bits > full) return null;
  }
  const base = masked(ip, bits);
  return { base, bits, single: bits === full, text: bits === full ? formatIp(base) : `${formatIp(base)}/${bits}` };
}

function masked(ip: IpBytes, bits: number): IpBytes {
  return ip.map((b, i) => b & maskByte(bits - i * 8));
}

/** Byte of a network mask with `bits` bits left to set. */
function maskByte(bits: number): number {
  if (bits >= 8) return 0xff;
  return bits <= 0 ? 0 : (0xff << (8 - bits)) & 0xff;
}

/** Is the address in the range? Families never match each other. */
export function cidrContains(range: Cidr, ip: IpBytes): boolean {
  if (range.base.length !== ip.length) return false;
  for (let i = 0; i * 8 < range.bits; i++) {
    if (((ip[i] ?? 0) & maskByte(range.bits - i * 8)) !== range.base[i]) return false;
  }
  return true;
}

/** Bits of an IPv6 address that one customer of a provider has at least: whoever has one address of them has them all. */
const V6_NETWORK_BITS = 64;

/** What limits count by: an IPv4 address, or the /64 of an IPv6 address ("2001:db8:1:2::/64"). Text that is no address is its own group. */
export function networkOf(address: string): string {
  // IPv4 has one spelling.
  const ip = address.includes(":") ? parseIp(address) : null;
  if (ip === null) return address;
  return ip.length === 4 ? formatIp(ip) : `${formatIp(masked(ip, V6_NETWORK_BITS))}/${V6_NETWORK_BITS}`;
}

/** This machine: 127.0.0.0/8, ::1. */
export function isLoopback(address: string): boolean {
  const ip = parseIp(address);
  if (ip === null) return false;
  return ip.length === 4 ? ip[0] === 127 : ip.every((b, i) => b === (i === 15 ? 1 : 0));
}

/** Does one of the ranges hold the address? */
export function anyContains(ranges: readonly Cidr[], address: string): boolean {
  const ip = ranges.length === 0 ? null : parseIp(address);
  return ip !== null && ranges.some((r) => cidrContains(r, ip));
}
