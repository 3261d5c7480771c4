/** The statements that bring a change of the journal, of retained and of delayed messages to its row: for the batch, and for the redo log at a start. */
import { MESSAGE_COLUMNS } from "./codec.ts";

/** QoS and retain, as packed by codec.ts; a delivery's state lies above them. */
export const FLAGS = 7;

/** Columns and values of a message. */
export const MESSAGE_VALUES = `(id, ${MESSAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** Tables with rows of sessions, by their key. */
export const SESSION_TABLES = ["subscriptions", "deliveries", "awaiting_rel"] as const;

export const PUT_SESSION =
  "REPLACE INTO sessions (key, client_id, username, version, zone, mountpoint, clean_start, is_super, ip, created_at, expiry, " +
  "disconnected_at, will, will_payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
/** All that is left of a session, by its key. */
export const DELETE_SESSION: readonly string[] = [
  "DELETE FROM sessions WHERE key = ?",
  ...SESSION_TABLES.map((t) => `DELETE FROM ${t} WHERE session = ?`),
];

export const PUT_SUBSCRIPTION = "REPLACE INTO subscriptions (session, filter, options, sub_id) VALUES (?, ?, ?, ?)";
export const DELETE_SUBSCRIPTION = "DELETE FROM subscriptions WHERE session = ? AND filter = ?";

export const PUT_DELIVERY = "REPLACE INTO deliveries (session, seq, message, flags, packet_id, sub_ids) VALUES (?, ?, ?, ?, ?, ?)";
/** State, packet identifier (twice; 0 = as it is), session, seq. */
export const UPDATE_DELIVERY = `UPDATE deliveries SET flags = (flags & ${FLAGS}) | ?, packet_id = iif(? = 0, packet_id, ?) WHERE session = ? AND seq = ?`;
export const DELETE_DELIVERY = "DELETE FROM deliveries WHERE session = ? AND seq = ?";

export const PUT_REL = "REPLACE INTO awaiting_rel (session, packet_id, since) VALUES (?, ?, ?)";
export const DELETE_REL = "DELETE FROM awaiting_rel WHERE session = ? AND packet_id = ?";

/** The log may say it again: a number that was given back is given to another message. */
export const PUT_MESSAGE = `REPLACE INTO messages ${MESSAGE_VALUES}`;

export const PUT_RETAINED = `REPLACE INTO retained ${MESSAGE_VALUES}`;
export const DELETE_RETAINED = "DELETE FROM retained WHERE id = ?";
export const CLEAR_RETAINED = "DELETE FROM retained";

export const PUT_DELAYED = `REPLACE INTO delayed (id, due_at, ${MESSAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
export const DELETE_DELAYED = "DELETE FROM delayed WHERE id = ?";
