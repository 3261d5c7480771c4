/** What happens to the sockets of the simulated clients: they come, bring bytes, take bytes, and end. */
import { testListener } from "../support/zone.ts";
import { type Client, Conn } from "./conn.ts";
import { read } from "./model/receive.ts";
import { ADDRESS, SimTransport } from "./transport.ts";
import type { World } from "./world.ts";

/** A new connection of this client's. */
export function accept(w: World, client: Client): Conn {
  const transport = new SimTransport(ADDRESS, 40_000 + w.conns.length, () => w.model.committed);
  const listener = testListener();
  let conn!: Conn;
  w.event(() => {
    const channel = w.broker.accept(transport, listener, null);
    conn = new Conn(w.conns.length, client, transport, channel, w.clock.monotonic, listener.shutdowns);
    w.conns.push(conn);
    client.conns.push(conn);
  });
  client.conn = conn;
  return conn;
}

/** Hand over what is on the client's wire, in pieces; `left` bytes stay. */
export function feed(w: World, conn: Conn, piece = 0, left = 0): void {
  let n = conn.pendingBytes - left;
  while (n > 0 && conn.live && !conn.transport.paused && !conn.silent) {
    const k = piece > 0 ? Math.min(piece, n) : n;
    n -= k;
    const chunk = conn.take(k);
    const cut = conn.wire[0];
    // Seen to be wrong before it is whole.
    if (cut?.sent.kind === "bad" && cut.at > 0) conn.mayClose ||= "bad bytes";
    conn.fedBytes += chunk.length;
    conn.lastRecv = w.clock.monotonic;
    w.event(() => conn.channel.onData(chunk), conn);
    // While the connection waits for an answer it may keep what has come; small chunks are held on to by what is in flight.
    if (chunk.length > w.broker.slab.light && !w.awaited.some((a) => a.conn === conn)) conn.poison.push(chunk);
  }
}

/** The event of its end. */
export function close(w: World, conn: Conn, reason = "closed"): void {
  if (conn.gone || conn.left) return;
  // What the kernel has taken arrives before the end.
  read(w.model, conn);
  conn.silent = true;
  w.event(
    () => conn.channel.onClose(reason),
    null,
    () => {
      conn.transport.gone = true;
      conn.left = true;
      if (conn.channel.phase === "closed") left(w, conn);
      // What it has sent is to be handled first.
      else conn.mayClose ||= "has left";
    },
  );
}

/** The broker has heard of its end, and the model hears of it. */
export function left(w: World, conn: Conn): void {
  conn.gone = true;
  w.model.closed(conn, false);
}

/** Its peer has read: there is room for so many bytes. */
export function drain(w: World, conn: Conn, room: number): void {
  const t = conn.transport;
  t.room = room;
  if (!t.owesDrain || t.closed || conn.gone || t.gone || room === 0) return;
  t.owesDrain = false;
  w.event(() => conn.channel.onDrain(), conn);
  // Only somebody who has just been refused hears of room again.
  if (t.room === 0) t.owesDrain = true;
}
