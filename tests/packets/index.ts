/**
 * All packet tables: the one source of packets for unit tests, conformance tests, fuzz seeds and benches. What clients send is
 * in `CLIENT_TABLES`, what the server sends in server.ts.
 */
import { ACK_ROWS } from "./acks.ts";
import { CONNECT_ROWS } from "./connect.ts";
import { AUTH_ROWS, DISCONNECT_ROWS } from "./disconnect.ts";
import { PUBLISH_ROWS } from "./publish.ts";
import { PINGREQ_BYTES } from "./server.ts";
import { SUBSCRIBE_ROWS, UNSUBSCRIBE_ROWS } from "./subscribe.ts";
import type { DecodeRow } from "./types.ts";

const PING_ROWS: readonly DecodeRow<unknown>[] = [
  { name: "PINGREQ", version: 4, bytes: PINGREQ_BYTES, value: "ping" },
  { name: "PINGREQ with a body", version: 4, bytes: Uint8Array.of(0xc0, 1, 0), error: 0x81 },
];

export const CLIENT_TABLES: Readonly<Record<string, readonly DecodeRow<unknown>[]>> = {
  CONNECT: CONNECT_ROWS,
  PUBLISH: PUBLISH_ROWS,
  acknowledgements: ACK_ROWS,
  SUBSCRIBE: SUBSCRIBE_ROWS,
  UNSUBSCRIBE: UNSUBSCRIBE_ROWS,
  PINGREQ: PING_ROWS,
  DISCONNECT: DISCONNECT_ROWS,
  AUTH: AUTH_ROWS,
};

export const CLIENT_ROWS: readonly DecodeRow<unknown>[] = Object.values(CLIENT_TABLES).flat();
