/** What is refused before anybody asks who is asking: requests that pages of others make with a browser's credentials. */
import { isSameOrigin, saysSameOrigin } from "../lib/origin.ts";
import type { Peer } from "./peer.ts";
import { text } from "./reply.ts";

const FOREIGN =
  "Forbidden: the request comes from a page of another origin. Behind a reverse proxy, let it pass on Host, or name it in dashboard.trusted_proxies (management.trusted_proxies) and let it send X-Forwarded-Host.";
const NOT_JSON = "Unsupported Media Type: browsers must send JSON as application/json.";
const JSON_TYPE = /^(?:application\/(?:[\w.-]+\+)?json)\s*(?:;|$)/i;

/**
 * Made by a page that is not ours: by what the browser says of the two (Fetch Metadata), or else by comparing `Origin` with the name
 * the page knows us by. Programs send neither.
 */
function isForeign(peer: Peer): boolean {
  const site = peer.headers.get("sec-fetch-site");
  if (site === "cross-site") return true;
  if (saysSameOrigin(site)) return false;
  const origin = peer.headers.get("origin");
  return origin !== null && !isSameOrigin(origin, peer.host());
}

/** Sent by a browser that says so. `Sec-Fetch-Mode` alone says nothing: programs on Node.js send it too. */
const byBrowser = (headers: Headers): boolean => headers.has("origin") || headers.has("sec-fetch-site");

function carriesBody(headers: Headers): boolean {
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > 0;
}

/** null = it may go on. */
export function refusal(peer: Peer): Response | null {
  const { headers } = peer;
  if (isForeign(peer)) return text(FOREIGN, 403);
  // Only types that a page of another origin may not send without being asked for it beforehand.
  const type = headers.get("content-type") ?? "";
  return byBrowser(headers) && carriesBody(headers) && !JSON_TYPE.test(type) ? text(NOT_JSON, 415) : null;
}

/** May the answer ask for Basic credentials? Not when a script of a page would make the browser's own dialogue appear. */
export function mayChallenge(headers: Headers): boolean {
  const mode = headers.get("sec-fetch-mode");
  return !headers.has("origin") && (mode === null || mode === "navigate");
}
