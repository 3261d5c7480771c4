/** Where a server outside is, as a configuration key says it. */
import { type Entry, parsed } from "../../lib/config_entry.ts";
import { parseHost } from "../../lib/origin.ts";

export interface ServerAddress {
  /** Name or address; IPv6 without brackets. */
  host: string;
  port: number;
}

/** "127.0.0.1:3306", "db.example", "[::1]:3306". `port`: when none is given. */
export function serverAddress(def: string, port: number): Entry<ServerAddress> {
  return parsed(def, `host and port such as "${def}"`, (text) => readAddress(text, port), "Address of the server.");
}

function readAddress(text: string, port: number): ServerAddress | null {
  const found = parseHost(text);
  if (found === null) return null;
  const given = found.port === "" ? port : Number(found.port);
  return given < 1 || given > 65535 ? null : { host: found.name.replace(/^\[|\]$/g, ""), port: given };
}

export function shownAddress({ host, port }: ServerAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
