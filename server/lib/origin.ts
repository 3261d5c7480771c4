/** Which page a browser's request comes from: `Origin` and `Host` (RFC 6454, RFC 9110 section 7.2), and names that mean this machine. */
import { isLoopback } from "./cidr.ts";

export interface HostPort {
  /** In lower case; IPv6 in brackets. */
  name: string;
  /** "" = none is named. */
  port: string;
}

const HOST = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]]+)(?::(\d{1,5}))?$/;
const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443", ws: "80", wss: "443" };

/** `localhost:18083`, `[::1]`. null = no host. */
export function parseHost(text: string | null | undefined): HostPort | null {
  const m = HOST.exec((text ?? "").trim().toLowerCase());
  return m ? { name: m[1] as string, port: m[2] ?? "" } : null;
}

/** `https://a.example`; `null` (an origin that says nothing) is null. */
export function parseOrigin(text: string): (HostPort & { scheme: string }) | null {
  const m = ORIGIN.exec(text.trim().toLowerCase());
  const host = m && parseHost(m[2]);
  return host ? { ...host, scheme: m[1] as string } : null;
}

/** Names that no DNS server decides about: `localhost`, names below it, 127.0.0.0/8, `[::1]`. */
export function isLocalHost(host: HostPort | null): boolean {
  if (host === null) return false;
  const name = host.name.replace(/\.$/, "");
  return name === "localhost" || name.endsWith(".localhost") || isLoopback(name.replace(/^\[|\]$/g, ""));
}

/** Is a page of this origin one of the server that was asked as `host`? Name and port count; the scheme says which port is meant by none. */
export function isSameOrigin(origin: string, host: string | null): boolean {
  const page = parseOrigin(origin);
  const own = parseHost(host);
  if (page === null || own === null) return false;
  const usual = DEFAULT_PORTS[page.scheme] ?? "";
  return page.name === own.name && (page.port || usual) === (own.port || usual);
}

/** The same machine, whatever the port. All names of this machine are one. */
export function isSameHost(origin: string, host: string | null): boolean {
  const page = parseOrigin(origin);
  const own = parseHost(host);
  if (page === null || own === null) return false;
  return page.name === own.name || (isLocalHost(page) && isLocalHost(own));
}

/** Browsers say themselves that page and server are one; pages cannot forge it (Fetch Metadata). */
export function saysSameOrigin(secFetchSite: string | null | undefined): boolean {
  return secFetchSite === "same-origin" || secFetchSite === "none";
}

/** A rule for pages: an origin, a host, `null` (pages that hide theirs), `all`. */
export const isOriginRule = (rule: string): boolean =>
  rule === "all" || rule === "*" || rule === "null" || parseOrigin(rule) !== null || parseHost(rule) !== null;

export type OriginCheck = (
  origin: string | null | undefined,
  host: string | null | undefined,
  secFetchSite: string | null | undefined,
) => boolean;

/**
 * Which pages may talk to a server that did not send them? Those of the same host, on any port, and those that the rules name. Programs
 * send no `Origin`: they may. `host` and `secFetchSite` are the request's own headers.
 */
export function originCheck(rules: readonly string[]): OriginCheck {
  const all = rules.some((r) => r === "all" || r === "*");
  const listed = new Set(rules.map((r) => originText(parseOrigin(r)) ?? r.toLowerCase()));
  return (origin, host, secFetchSite) => {
    if (!origin || all || saysSameOrigin(secFetchSite)) return true;
    const page = parseOrigin(origin);
    if (page === null) return listed.has("null");
    const named = [originText(page) ?? "", page.name, `${page.name}:${page.port}`];
    return named.some((n) => listed.has(n)) || isSameHost(origin, host ?? null);
  };
}

/** One spelling, without the scheme's usual port. */
function originText(o: ReturnType<typeof parseOrigin>): string | null {
  if (o === null) return null;
  const port = o.port === "" || o.port === DEFAULT_PORTS[o.scheme] ? "" : `:${o.port}`;
  return `${o.scheme}://${o.name}${port}`;
}
