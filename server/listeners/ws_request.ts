/** The HTTP request that asks for a WebSocket (RFC 6455 section 4), and the answers to it. */
import type { OriginCheck } from "../lib/origin.ts";

/** Request line and headers; more is refused. */
const MAX_HEAD = 8 * 1024;

export interface HttpRequest {
  method: string;
  /** Without the query. */
  path: string;
  /** Names in lower case; several of one name joined by ", ". */
  headers: Map<string, string>;
  /** Bytes of the head, with the empty line. */
  length: number;
}

export interface HttpRefusal {
  status: number;
  text: string;
  headers?: Record<string, string>;
}

export type RequestState = { state: "incomplete" } | { state: "bad"; refusal: HttpRefusal } | { state: "done"; request: HttpRequest };

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const REASONS: Record<number, string> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  426: "Upgrade Required",
  431: "Request Header Fields Too Large",
};

const bad = (status: number, text: string): RequestState => ({ state: "bad", refusal: { status, text } });

/** Parse the head of a request as far as it has come. */
export function parseRequest(buf: Uint8Array): RequestState {
  const text = Buffer.from(buf.buffer, buf.byteOffset, Math.min(buf.length, MAX_HEAD)).toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) {
    // Anything but HTTP (an MQTT client on the wrong port) is told apart by its first bytes.
    if (!/^[A-Z]{0,20}(?: |$)/.test(text.slice(0, 21))) return bad(400, "this port speaks MQTT over WebSocket; the request is no HTTP");
    return buf.length < MAX_HEAD ? { state: "incomplete" } : bad(431, `request head longer than ${MAX_HEAD} bytes`);
  }
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const line = /^([A-Z]{1,20}) (\/[!-~]*) HTTP\/1\.1$/.exec(first);
  if (line === null) return bad(400, "not an HTTP/1.1 request line");
  const headers = new Map<string, string>();
  for (const l of lines) {
    const colon = l.indexOf(":");
    const name = l.slice(0, colon).toLowerCase();
    if (colon < 1 || !TOKEN.test(name)) return bad(400, "malformed header line");
    const value = l.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const path = (line[2] as string).split("?", 1)[0] as string;
  return { state: "done", request: { method: line[1] as string, path, headers, length: end + 4 } };
}

/** Elements of a comma-separated header. */
function listOf(value: string | undefined): string[] {
  return (value ?? "")
    .split(",")
    .map((v) => v.trim())
    .filter((v) => v !== "");
}

export const SUBPROTOCOLS: readonly string[] = ["mqtt", "mqttv3.1"];

export interface UpgradeRules {
  path: string;
  /** Refuse clients that offer none of our subprotocols. */
  verifyProtocol: boolean;
  compress: boolean;
  origins: OriginCheck;
}

/** What a page of a host that may not connect is told. */
export const FOREIGN_PAGE = "pages of another host may not connect; the listener's setting allow_origins lists those that may";

export interface Upgrade {
  /** Bytes of the 101 answer. */
  answer: string;
  /** permessage-deflate was agreed on. */
  compress: boolean;
}

/** Check the request and make the answer; a refusal says what is wrong in words. */
export function answerUpgrade(r: HttpRequest, rules: UpgradeRules): { ok: true; upgrade: Upgrade } | { ok: false; refusal: HttpRefusal } {
  const refuse = (status: number, text: string, headers?: Record<string, string>): { ok: false; refusal: HttpRefusal } => ({
    ok: false,
    refusal: { status, text, ...(headers ? { headers } : {}) },
  });
  if (r.path !== rules.path) return refuse(404, `nothing here; MQTT over WebSocket is at ${rules.path}`);
  const wantsUpgrade = listOf(r.headers.get("upgrade")).some((v) => v.toLowerCase() === "websocket");
  const tokens = listOf(r.headers.get("connection")).map((v) => v.toLowerCase());
  if (!wantsUpgrade || !tokens.includes("upgrade")) {
    return refuse(426, "MQTT over WebSocket: connect with a WebSocket client", { Upgrade: "websocket" });
  }
  if (r.method !== "GET") return refuse(405, "a WebSocket is opened with GET", { Allow: "GET" });
  if (r.headers.get("sec-websocket-version") !== "13") {
    return refuse(426, "WebSocket version 13 is needed", { Upgrade: "websocket", "Sec-WebSocket-Version": "13" });
  }
  if (!rules.origins(r.headers.get("origin"), r.headers.get("host"), r.headers.get("sec-fetch-site"))) return refuse(403, FOREIGN_PAGE);
  const key = r.headers.get("sec-websocket-key") ?? "";
  if (!/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)) return refuse(400, "Sec-WebSocket-Key is missing or not 16 bytes in base64");
  const offered = listOf(r.headers.get("sec-websocket-protocol"));
  const protocol = offered.find((p) => SUBPROTOCOLS.includes(p));
  if (protocol === undefined && rules.verifyProtocol) {
    return refuse(
      400,
      `Sec-WebSocket-Protocol must name ${SUBPROTOCOLS.join(" or ")}; the client ${offered.length === 0 ? "names none" : "names others only"}`,
    );
  }
  const extension = rules.compress ? deflateAnswer(r.headers.get("sec-websocket-extensions")) : null;
  const answer = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptKey(key)}`,
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ...(extension === null ? [] : [`Sec-WebSocket-Extensions: ${extension}`]),
    "\r\n",
  ].join("\r\n");
  return { ok: true, upgrade: { answer, compress: extension !== null } };
}

function acceptKey(key: string): string {
  return new Bun.CryptoHasher("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

/** RFC 7692: the first offer we can serve; no context is kept between messages, in either direction. null = no compression. */
function deflateAnswer(header: string | undefined): string | null {
  for (const offer of listOf(header)) {
    const [name, ...params] = offer.split(";").map((p) => p.trim().toLowerCase());
    if (name !== "permessage-deflate" || !params.every(isServable)) continue;
    return "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  }
  return null;
}

/** `server_max_window_bits` asks for a smaller window of ours: not offered, so such an offer is passed over. */
function isServable(param: string): boolean {
  return /^(?:server_no_context_takeover|client_no_context_takeover|client_max_window_bits(?:="?(?:[89]|1[0-5])"?)?|server_max_window_bits="?15"?)$/.test(
    param,
  );
}

/** A complete answer to a request that will not become a WebSocket. */
export function refusalText(r: HttpRefusal): string {
  const body = `${r.text}\n`;
  const head = [
    `HTTP/1.1 ${r.status} ${REASONS[r.status] ?? "Error"}`,
    ...Object.entries(r.headers ?? {}).map(([k, v]) => `${k}: ${v}`),
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    "\r\n",
  ];
  return head.join("\r\n") + body;
}
