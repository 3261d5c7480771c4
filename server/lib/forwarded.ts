/** Who is behind a proxy, as its headers tell: what the client itself has written there counts for nothing. */
import { anyContains, type Cidr, formatIp, parseIp } from "./cidr.ts";

/** Elements of X-Forwarded-For: client first, nearest proxy last. */
export function addressesOf(list: string): string[] {
  return list.split(",").map(bareAddress);
}

/** Without quotes, brackets and port: `"[2001:db8::1]:4711"`, `192.0.2.1:80`. */
export function bareAddress(text: string): string {
  const t = text.trim().replace(/^"(.*)"$/, "$1");
  return /^\[([^\]]*)\](?::\d+)?$/.exec(t)?.[1] ?? /^([\d.]+):\d+$/.exec(t)?.[1] ?? t;
}

/** The last address that is no trusted proxy's: what stands before it could be made up by the client. `direct`: of the socket. */
export function clientBehind(direct: string, told: readonly string[], trusted: readonly Cidr[]): string {
  if (!anyContains(trusted, direct)) return direct;
  let client = direct;
  for (const text of told.toReversed()) {
    const ip = parseIp(text);
    if (ip === null) break;
    client = formatIp(ip);
    if (!anyContains(trusted, client)) break;
  }
  return client;
}

/** What the nearest proxy has appended, whoever it is. */
export function nearestTold(direct: string, told: readonly string[]): string {
  const ip = parseIp(told.at(-1) ?? "");
  return ip === null ? direct : formatIp(ip);
}
