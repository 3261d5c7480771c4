/** Who is at the other end of a request: the socket's address, or what a proxy that is believed tells. */
import { anyContains, type Cidr, formatIp, isLoopback, parseIp } from "../lib/cidr.ts";
import { addressesOf, bareAddress, clientBehind } from "../lib/forwarded.ts";
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

/** What a proxy says when it speaks for somebody else, beside `X-Forwarded-…`: RFC 7239, RFC 9110 section 7.6.3, and what proxies and those before them have of their own. */
const FORWARDING: ReadonlySet<string> = new Set([
  "forwarded",
  "via",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-original-forwarded-for",
  "true-client-ip",
  "cf-connecting-ip",
  "fly-client-ip",
]);
const isForwarded = (headers: Headers): boolean =>
  [...headers.keys()].some((name) => name.startsWith("x-forwarded-") || FORWARDING.has(name));

export function peerOf(socketAddress: () => string, headers: Headers, trusted: readonly Cidr[]): Peer {
  let socket: string | null = null;
  let address: string | null = null;
  const direct = (): string => (socket ??= plain(socketAddress()));
  return {
    headers,
    address: () => (address ??= clientAddress(direct(), headers, trusted)),
    // A page whose name was bound to 127.0.0.1 by its owner comes from here too, but asks for that name (DNS rebinding).
    isLocal: () => isLoopback(direct()) && !isForwarded(headers) && isLocalHost(parseHost(headers.get("host"))),
    host: () => (anyContains(trusted, direct()) ? firstOf(headers.get("x-forwarded-host")) : null) ?? headers.get("host"),
  };
}

const firstOf = (list: string | null): string | null => list?.split(",")[0]?.trim() || null;

/** One spelling for each address; what is none stays. */
function plain(address: string): string {
  const ip = parseIp(address);
  return ip === null ? address : formatIp(ip);
}

export function clientAddress(direct: string, headers: Headers, trusted: readonly Cidr[]): string {
  return trusted.length === 0 ? direct : clientBehind(direct, chainOf(headers), trusted);
}

/** Client first, nearest proxy last: X-Forwarded-For, or else the `for` of Forwarded (RFC 7239). */
function chainOf(headers: Headers): string[] {
  const list = headers.get("x-forwarded-for");
  if (list !== null) return addressesOf(list);
  const elements = headers.get("forwarded")?.split(",") ?? [];
  return elements.map((e) => bareAddress(/(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i.exec(e)?.[1] ?? ""));
}
