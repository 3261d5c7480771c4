/** A client reads what the broker sent: may it be, is it whole, is it the client's, is it in order? */
import type { Conn, Expected } from "../conn.ts";
import { DecodeError, type Received } from "../decode.ts";
import { violate } from "../violation.ts";
import type { Model } from "./model.ts";
import { published } from "./published.ts";

/** Everything the peer's side has taken since the last look. */
export function read(model: Model, conn: Conn): void {
  const { taken } = conn.transport;
  if (taken.length === 0) return;
  if (conn.silent) {
    taken.length = 0;
    return;
  }
  for (const t of taken) {
    conn.readBytes += t.bytes.length;
    try {
      conn.decoder.feed(t.bytes, (p) => packet(model, conn, p, t.committed));
    } catch (err) {
      if (!(err instanceof DecodeError)) throw err;
      violate(
        "not_mqtt",
        `${conn.name} got bytes that are no MQTT ${conn.version}: ${err.message}; ${t.bytes.subarray(0, 80).toString("latin1")}`,
      );
    }
  }
  taken.length = 0;
}

function packet(model: Model, conn: Conn, p: Received, committed: number): void {
  conn.readPackets++;
  const max = conn.fields?.maxPacket ?? 0;
  if (max > 0 && p.size > max)
    violate(
      p.type === "publish" ? "too_large_publish" : "too_large",
      `${conn.name}: ${p.type} of ${p.size} bytes, Maximum Packet Size is ${max}`,
    );
  if (conn.connack < 0 && p.type !== "connack") violate("before_connack", `${conn.name} got ${p.type} before CONNACK`);
  switch (p.type) {
    case "publish":
      published(model, conn, p, committed);
      return;
    case "connack":
      connack(conn, p);
      return;
    case "suback":
    case "unsuback":
      answered(model, conn, p.type, p.id, p.codes, committed);
      return;
    case "pingresp":
      answered(model, conn, p.type, 0, [], committed);
      return;
    case "puback":
    case "pubrec":
    case "pubcomp": {
      answered(model, conn, p.type, p.id, [p.code], committed);
      const { outgoing } = conn.client;
      const mine = outgoing.get(p.id);
      if (mine === undefined) return;
      if (p.type !== "pubrec" || p.code >= 0x80) outgoing.delete(p.id);
      else {
        mine.released = true;
        conn.todo.push({ type: 6, pid: p.id, d: null });
      }
      return;
    }
    case "pubrel":
      released(model, conn, p.id, committed);
      return;
    case "disconnect":
      disconnected(conn, p.code);
      return;
  }
}

function connack(conn: Conn, p: Received & { type: "connack" }): void {
  if (conn.connack >= 0) violate("connack_twice", conn.name);
  conn.connack = p.code;
  const e = conn.expected.get("connack")?.shift();
  if (e === undefined) {
    violate("connack_unexpected", `${conn.name}: code ${p.code}`);
    return;
  }
  if (!e.may && (e.codes === null ? p.code === 0 : p.code !== 0)) violate("connack_code", `${conn.name}: code ${p.code}`);
  if (p.code !== 0) return;
  if (e.present !== null && e.present !== p.present && !e.may)
    violate("session_present", `${conn.name}: session present ${p.present}, expected ${e.present}`);
  const { client } = conn;
  const present = conn.version === 3 ? conn.session?.connNo !== 1 : p.present;
  if (!present) {
    client.forget(conn.no);
    conn.session?.incoming.clear();
  } else
    for (const [pid, o] of client.outgoing) if (o.on < conn.no) conn.todo.push({ type: o.released ? 6 : 4, pid, d: null, resend: true });
}

function answered(model: Model, conn: Conn, type: string, id: number, codes: readonly number[], committed: number): void {
  const list = conn.expected.get(type) ?? [];
  let e: Expected | undefined;
  const passed: Expected[] = [];
  // What may stay away does not hold up the others.
  while (list.length > 0) {
    const next = list.shift() as Expected;
    if (next.id === id) {
      e = next;
      break;
    }
    if (!next.may && !conn.unsure) {
      violate("answer_order", `${conn.name}: ${type} ${id} came, next was to be ${next.id}`);
      return;
    }
    passed.push(next);
  }
  // A handshake that the journal keeps goes on when the disk works again; refusals behind it have gone out meanwhile.
  if (model.everFailed && (type === "pubrec" || type === "pubcomp")) list.unshift(...passed);
  if (e === undefined) {
    if (conn.unsure) return;
    violate("answer_unexpected", `${conn.name}: ${type} ${id} answers nothing`);
    return;
  }
  const ok = (code: number, allowed: readonly number[] | null | undefined): boolean =>
    allowed === null || allowed === undefined || allowed.includes(code);
  const bad =
    e.each !== null ? codes.length !== e.each.length || codes.some((c, i) => !ok(c, e.each?.[i])) : codes.some((c) => !ok(c, e.codes));
  if (bad && !e.may)
    violate("answer_code", `${conn.name}: ${type} ${id} says ${codes.join(" ")}, expected ${JSON.stringify(e.each ?? e.codes)}`);
  const refused = (codes[0] ?? 0) >= 0x80;
  if (e.durable && !refused && model.tooEarly(e.ev, committed)) {
    violate(
      `ack_before_commit${model.everFailed ? "_failing" : ""}`,
      `${conn.name}: ${type} ${id} left before what it promises was committed`,
    );
  }
  if (refused && e.m !== null) for (const s of model.sessions.values()) for (const d of s.byN.get(e.m.n) ?? []) d.must = false;
}

function released(model: Model, conn: Conn, pid: number, committed: number): void {
  const list = conn.expected.get("pubrel");
  const same = (e: Expected): boolean => e.id === pid;
  // All alike: one that may stay away is not the one that has come, if another must.
  const sure = list?.findIndex((e) => same(e) && !e.may && (!e.durable || e.ev <= committed)) ?? -1;
  const at = sure >= 0 ? sure : (list?.findIndex(same) ?? -1);
  const s = conn.session;
  if (at >= 0) {
    const e = (list as Expected[])[at] as Expected;
    list?.splice(at, 1);
    if (e.durable && model.tooEarly(e.ev, committed))
      violate(`ack_before_commit${model.everFailed ? "_failing" : ""}`, `${conn.name}: PUBREL ${pid} left before PUBREC was committed`);
  } else if (s !== null && !conn.unsure && !s.recs.has(pid))
    violate("pubrel_unexpected", `${conn.name}: PUBREL ${pid}, but no PUBREC was sent for it`);
  conn.todo.push({ type: 7, pid, d: s?.inflight.get(pid) ?? null });
  s?.incoming.delete(pid);
}

function disconnected(conn: Conn, code: number): void {
  if (conn.mustClose !== null && conn.mustClose.codes.length > 0 && !conn.mustClose.codes.includes(code) && conn.mayClose === "")
    violate(
      "disconnect_code",
      `${conn.name}: DISCONNECT ${code.toString(16)}, expected ${conn.mustClose.codes.map((c) => c.toString(16))} (${conn.mustClose.why})`,
    );
}
