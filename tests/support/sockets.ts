/** Connections as the kernel counts them, a server that takes them and never says a word, and a long line to one that does. */
import { readFileSync } from "node:fs";
import { connect, createServer, type Server as NetServer, type Socket as NetSocket } from "node:net";
import type { Socket, TCPSocketListener } from "bun";
import { freePorts } from "./ports.ts";

const ESTABLISHED = "01";

/**
 * Connections that are open at a port of 127.0.0.1 or another address of IPv4. The list of the system has some of them twice while others come and
 * go: each counts once.
 */
export function connectionsAt(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const open = new Set<string>();
  for (const row of readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)) {
    const [, local, remote, state] = row.trim().split(/\s+/);
    if (local?.endsWith(`:${hex}`) === true && state === ESTABLISHED) open.add(`${local} ${remote}`);
  }
  return open.size;
}

/** The most that `count` says while `run` lasts. */
export async function mostDuring(count: () => number, run: () => Promise<void>): Promise<number> {
  let [most, over] = [0, false];
  const counted = (async () => {
    while (!over) {
      most = Math.max(most, count());
      await Bun.sleep(5);
    }
  })();
  try {
    await run();
  } finally {
    over = true;
    await counted;
  }
  return most;
}

export class SilentServer {
  readonly #open = new Set<Socket<undefined>>();
  readonly #listener: TCPSocketListener<undefined>;
  /** So many have come so far. */
  taken = 0;

  constructor(hostname: string, port: number) {
    this.#listener = Bun.listen<undefined>({
      hostname,
      port,
      socket: {
        open: (socket) => {
          this.taken++;
          this.#open.add(socket);
        },
        close: (socket) => void this.#open.delete(socket),
        data() {},
      },
    });
  }

  get open(): number {
    return this.#open.size;
  }

  stop(): void {
    this.#listener.stop(true);
  }
}

/** A line to a server of this machine: whatever that says is `ms` on its way. */
export class LongLine {
  readonly port: number = freePorts(1)[0] as number;
  readonly #here: NetServer;
  readonly #sockets = new Set<NetSocket>();

  /** `to`: the server's port. */
  constructor(to: number, ms: number) {
    this.#here = createServer((client) => {
      const server = connect({ host: "127.0.0.1", port: to, noDelay: true });
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => this.#sockets.delete(socket));
      }
      client.on("data", (chunk) => server.write(chunk));
      client.on("close", () => server.destroy());
      server.on("data", (chunk) => setTimeout(() => client.destroyed || client.write(chunk), ms));
      server.on("close", () => setTimeout(() => client.destroy(), ms));
    });
  }

  start(): Promise<void> {
    return new Promise((done) => this.#here.listen(this.port, "127.0.0.1", done));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((done) => this.#here.close(() => done()));
  }
}
