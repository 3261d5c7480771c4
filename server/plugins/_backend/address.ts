/** Where a server outside is, as a configuration key says it. */
import { type Entry, type EntryOptions, leadsTo, parsed } from "../../lib/config_entry.ts";
import { parseHost } from "../../lib/origin.ts";

export interface ServerAddress {
  /** Name or address; IPv6 without brackets. */
  host: string;
  port: number;
}

/** "127.0.0.1:3306", "db.example", "[::1]:3306", "3306" (of this machine, as in EMQ X 3.1). `port`: when none is given. */
export function serverAddress(def: string, port: number): Entry<ServerAddress> {
  const entry = parsed(def, `host and port such as "${def}"`, (text) => readAddress(text, port), "Address of the server.");
  return leadsTo(entry, (address) => [shownAddress(address)]);
}

/** Several, with commas between them; their order is that of asking. */
export function serverAddresses(def: string, port: number): Entry<readonly ServerAddress[]> {
  const expects = `hosts and ports such as "${def}", with commas between them`;
  const entry = parsed(def, expects, (text) => readAddresses(text, port), "Addresses of servers.");
  return leadsTo(entry, (addresses) => addresses.map(shownAddress));
}

const EXPECTS_URL = "a URL that begins with http:// or https://";

/** Of a service that speaks HTTP. */
export function serverUrl(def: string, doc: string): Entry<URL> {
  return leadsTo(parsed(def, EXPECTS_URL, httpUrl, doc), urlsOf);
}

/** Nobody is asked. */
export const NONE = "none";

/** As `serverUrl`; empty = NONE. */
export function serverUrlOrNone(def: string, doc: string, o: EntryOptions): Entry<URL | typeof NONE> {
  const read = (text: string): URL | typeof NONE | null => (text === "" ? NONE : httpUrl(text));
  return leadsTo(parsed(def, `${EXPECTS_URL}, or nothing`, read, doc, o), (url) => (url === NONE ? [] : urlsOf(url)));
}

/** Behind one host there may be several services: the path counts. What stands in the URL for its own log-in does not. */
const urlsOf = (url: URL): string[] => [`${url.origin}${url.pathname}`];

/** null = they are none. */
export function readAddresses(text: string, port: number): ServerAddress[] | null {
  const found = text.split(",").map((part) => readAddress(part.trim(), port));
  return found.some((address) => address === null) ? null : (found as ServerAddress[]);
}

export const shownAddresses = (addresses: readonly ServerAddress[]): string => addresses.map(shownAddress).join(", ");

/** null = it is none. */
export function readAddress(text: string, port: number): ServerAddress | null {
  const found = parseHost(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
  if (found === null) return null;
  const given = found.port === "" ? port : Number(found.port);
  return given < 1 || given > 65535 ? null : { host: found.name.replace(/^\[|\]$/g, ""), port: given };
}

export function shownAddress({ host, port }: ServerAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Written as such: the runtime's parser takes control characters before it, and `http:joe:secret@host`, in which nobody would look for a password to mask.
 * null = it is none.
 */
export function httpUrl(text: string): URL | null {
  return /^https?:\/\/[^/\\]/i.test(text) && URL.canParse(text) ? new URL(text) : null;
}
