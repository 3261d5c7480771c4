/** Refusals to start that a person has to read: one line that names the listener and what to do. */
import { lineOf } from "../lib/errors.ts";

export class ListenerError extends Error {
  constructor(
    /** Key at fault: "listener.tcp.external" or one below it. */
    readonly listener: string,
    readonly why: string,
  ) {
    super(`${listener}: ${why}`);
    this.name = "ListenerError";
  }
}

/** Why a port could not be opened. `key` is e.g. "listener.tcp.external". */
export function bindError(key: string, host: string, port: number, err: unknown): ListenerError {
  const { code } = err as { code?: string };
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  switch (code) {
    case "EADDRINUSE":
      return new ListenerError(key, `port ${port} is already in use (${where}); stop the program that holds it, or set another address`);
    case "EACCES":
    case "EPERM":
      return new ListenerError(
        key,
        `no permission to listen on ${where}; ports below 1024 need root or CAP_NET_BIND_SERVICE, or set another address`,
      );
    case "EADDRNOTAVAIL":
      return new ListenerError(key, `${host} is not an address of this machine; set another address`);
    default:
      return new ListenerError(key, `cannot listen on ${where}: ${lineOf(err)}`);
  }
}
