/** Who is at the other end of a request: the socket's address, or what a proxy that is believed tells. */
import { anyContains, type Cidr, formatIp, isLoopback, parseIp } from "../lib/cidr.ts";
import { isLocalHost, parseHost } from "../lib/origin.ts";

export interface Peer {
  /** The client's own. Asked for only when it matters. */
  address(): string;
  readonly headers: Headers;
  /** On this machine, speaking for itself, and sure that it talks to this machine. */
  isLocal(): boolean;
  /** The name the client knows this server by: `Host`, or that of the proxy. */
  host(): string | null;
}

/** What a proxy says when it speaks for somebody else. */
const FORWARDING = ["x-forwarded-for", "forwarded", "x-real-ip"];

export function peerOf(socketAddress: () => string, headers: Headers, trusted: readonly Cidr[]): Peer {
  let socket: string | null = null;
  let address: string | null = null;
  const direct = (): string => (socket ??= plain(socketAddress()));
  return {
    headers,
    address: () => (address ??= clientAddress(direct(), headers, trusted)),
    // A page whose name was bound to 127.0.0.1 by its owner comes from here too, but asks for that name (DNS rebinding).
    isLocal: () => isLoopback(direct()) && !FORWARDING.some((name) => headers.has(name)) && isLocalHost(parseHost(headers.get("host"))),
    host: () => (anyContains(trusted, direct()) ? firstOf(headers.get("x-forwarded-host")) : null) ?? headers.get("host"),
  };
}

const firstOf = (list: string | null): string | null => list?.split(",")[0]?.trim() || null;

/** One spelling for each address; what is none stays. */
function plain(address: string): string {
  const ip = parseIp(address);
  return ip === null ? address : formatIp(ip);
}

/** The last address that is no trusted proxy's: what stands before it in the header could be made up by the client. */
export function clientAddress(direct: string, headers: Headers, trusted: readonly Cidr[]): string {
  if (!anyContains(trusted, direct)) return direct;
  let client = direct;
  for (const told of chainOf(headers).reverse()) {
    const ip = parseIp(told);
    if (ip === null) break;
    client = formatIp(ip);
    if (!anyContains(trusted, client)) break;
  }
  return client;
}

/** Client first, nearest proxy last: X-Forwarded-For, or else the `for` of Forwarded (RFC 7239). */
function chainOf(headers: Headers): string[] {
  const list = headers.get("x-forwarded-for");
  if (list !== null) return list.split(",").map(bare);
  const elements = headers.get("forwarded")?.split(",") ?? [];
  return elements.map((e) => bare(/(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i.exec(e)?.[1] ?? ""));
}

/** Without quotes, brackets and port: `"[2001:db8::1]:4711"`, `192.0.2.1:80`. */
function bare(text: string): string {
  const t = text.trim().replace(/^"(.*)"$/, "$1");
  return /^\[([^\]]*)\](?::\d+)?$/.exec(t)?.[1] ?? /^([\d.]+):\d+$/.exec(t)?.[1] ?? t;
}
