/**
 * PROXY protocol, versions 1 and 2: the first bytes of a connection name the client a proxy speaks for.
 * Source: "The PROXY protocol", HAProxy, 2020/03/05.
 */
import { formatIp, parseIp } from "../lib/cidr.ts";
import { type ChannelLike, type Link, lightened } from "./link.ts";

/** The longest version 1 line, CRLF included. */
const V1_MAX = 107;
/** Addresses and TLVs of version 2; the standard allows 64 KiB, nobody sends that. */
const V2_MAX = 4096;
const V2_FIXED = 16;
const V1_SIGNATURE = Buffer.from("PROXY ", "latin1");
const V2_SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);

export interface ProxySource {
  ip: string;
  port: number;
}

/** `source` null: the proxy speaks for itself (LOCAL, UNKNOWN), the socket's own address stands. */
export type ProxyHeader =
  | { state: "incomplete" }
  | { state: "bad"; why: string }
  | { state: "done"; length: number; source: ProxySource | null };

const INCOMPLETE: ProxyHeader = { state: "incomplete" };
const bad = (why: string): ProxyHeader => ({ state: "bad", why });

export function parseProxyHeader(buf: Uint8Array): ProxyHeader {
  if (startsLike(buf, V1_SIGNATURE)) return buf.length < V1_SIGNATURE.length ? INCOMPLETE : parseV1(buf);
  if (startsLike(buf, V2_SIGNATURE)) return buf.length < V2_FIXED ? INCOMPLETE : parseV2(buf);
  return bad("no PROXY protocol header");
}

/** Do both agree as far as the shorter one goes? */
function startsLike(buf: Uint8Array, signature: Uint8Array): boolean {
  const n = Math.min(buf.length, signature.length);
  for (let i = 0; i < n; i++) if (buf[i] !== signature[i]) return false;
  return true;
}

function parseV1(buf: Uint8Array): ProxyHeader {
  const end = buf.subarray(0, V1_MAX).indexOf(0x0a);
  if (end < 0) return buf.length < V1_MAX ? INCOMPLETE : bad("version 1 line longer than 107 bytes");
  const line = Buffer.from(buf.buffer, buf.byteOffset, end).toString("latin1");
  if (!line.endsWith("\r")) return bad("version 1 line does not end in CRLF");
  const words = line.slice(0, -1).split(" ");
  if (words[1] === "UNKNOWN") return { state: "done", length: end + 1, source: null };
  const [, family, from = "", to = "", fromPort = "", toPort = ""] = words;
  if (words.length !== 6 || (family !== "TCP4" && family !== "TCP6"))
    return bad("version 1 line has not the form PROXY TCP4|TCP6 from to port port");
  const isFamily = (ip: string): boolean => parseIp(ip) !== null && ip.includes(":") === (family === "TCP6");
  if (!isFamily(from) || !isFamily(to)) return bad(`version 1 line holds no ${family} addresses`);
  if (!isPort(fromPort) || !isPort(toPort)) return bad("version 1 line holds no valid ports");
  return { state: "done", length: end + 1, source: { ip: canonical(from), port: Number(fromPort) } };
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535;
}

/** One text per address; mapped IPv4 as IPv4. */
function canonical(text: string): string {
  const ip = parseIp(text);
  return ip === null ? text : formatIp(ip);
}

function parseV2(buf: Uint8Array): ProxyHeader {
  const versionAndCommand = buf[12] as number;
  const family = buf[13] as number;
  const size = ((buf[14] as number) << 8) | (buf[15] as number);
  if (versionAndCommand >> 4 !== 2) return bad("unknown PROXY protocol version");
  const command = versionAndCommand & 15;
  if (command > 1) return bad("unknown version 2 command");
  if (size > V2_MAX) return bad(`version 2 header of ${size} bytes, limit ${V2_MAX}`);
  const length = V2_FIXED + size;
  if (buf.length < length) return INCOMPLETE;
  // LOCAL (health checks), and families that name no IP address: UNSPEC, UNIX stream.
  if (command === 0 || family === 0x00 || family === 0x31) return { state: "done", length, source: null };
  if (family !== 0x11 && family !== 0x21) return bad("version 2 header is not for a TCP connection");
  const width = family === 0x11 ? 4 : 16;
  if (size < width * 2 + 4) return bad("version 2 header is too short for its addresses");
  const at = V2_FIXED + width * 2;
  const ip = canonical(formatIp(buf.slice(V2_FIXED, V2_FIXED + width)));
  return { state: "done", length, source: { ip, port: ((buf[at] as number) << 8) | (buf[at + 1] as number) } };
}

/** Stands where the channel will be until the header has come. */
export class ProxyGate implements ChannelLike {
  #head: Uint8Array | null = null;

  constructor(
    private readonly link: Link,
    /** Goes on with the connection; `rest` are the bytes behind the header. */
    private readonly go: (link: Link, rest: Uint8Array) => void,
    private readonly refused: (why: string) => void,
  ) {}

  onData(chunk: Uint8Array): void {
    const head = this.#head === null ? chunk : Buffer.concat([this.#head, chunk]);
    const header = parseProxyHeader(head);
    if (header.state === "incomplete") {
      this.#head = head;
      return;
    }
    if (header.state === "bad") {
      this.refused(header.why);
      this.link.abort("proxy_protocol_error");
      return;
    }
    if (header.source !== null) {
      this.link.ip = header.source.ip;
      this.link.port = header.source.port;
    }
    this.go(this.link, lightened(head.subarray(header.length)));
  }
  onDrain(): void {}
  onClose(): void {}
}
