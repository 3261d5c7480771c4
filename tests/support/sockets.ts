/** Connections as the kernel counts them, and a server that takes them and never says a word. */
import { readFileSync } from "node:fs";
import type { Socket, TCPSocketListener } from "bun";

const ESTABLISHED = "01";

/**
 * Connections that are open at a port of 127.0.0.1 or another address of IPv4, each counted once by who is at its other end: while many come and go
 * the kernel's table has rows twice.
 */
export function connectionsAt(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1);
  const ends = new Set<string>();
  for (const row of rows) {
    const [, local, remote, state] = row.trim().split(/\s+/);
    if (local?.endsWith(`:${hex}`) && remote !== undefined && state === ESTABLISHED) ends.add(remote);
  }
  return ends.size;
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
