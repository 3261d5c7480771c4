/** What TLS has against sentinels or the servers of a cluster, or they against our certificate: the library keeps that for itself. */
import { connect } from "node:tls";
import type { ServerAddress } from "../_backend/address.ts";
import { nodeTlsOptions } from "../_backend/tls.ts";
import { redisWords } from "./advice.ts";

/** All that it says. */
const CLOSED = /Connection is closed/;

/** Nobody is there, which says nothing of TLS; another server may. */
const AWAY = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "ENOTFOUND"]);

/** With its code it would be one of a connection that was lost, which is made anew at once: who hangs up so does it again. */
const notLost = (err: NodeJS.ErrnoException): Error => (err.code === "ECONNRESET" || err.code === "EPIPE" ? new Error(err.message) : err);

/**
 * Why `server` cannot be spoken with, from a connection of our own. null = that is not it, or nothing is heard of it within `ms`. `err`: what the
 * library has made of it.
 */
export async function tlsTrouble(err: unknown, server: ServerAddress, tls: Bun.TLSOptions | null, ms: number): Promise<Error | null> {
  if (tls === null || !CLOSED.test(redisWords(err))) return null;
  const socket = connect({ ...nodeTlsOptions(tls, server.host), port: server.port });
  const found = Promise.withResolvers<Error | null>();
  // A certificate that it does not take is told behind the handshake: only an answer says that it has taken ours.
  socket.once("secureConnect", () => socket.write("PING\r\n"));
  socket.once("data", () => found.resolve(null));
  socket.on("error", (why: NodeJS.ErrnoException) => found.resolve(AWAY.has(why.code ?? "") ? null : notLost(why)));
  socket.once("close", () => found.resolve(new Error("TLS connection closed without a word")));
  socket.setTimeout(ms, () => found.resolve(null));
  try {
    return await found.promise;
  } finally {
    socket.destroy();
  }
}
