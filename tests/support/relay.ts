/** Another port for a server: what comes there is passed on to it, and its answers back. */
import { createServer, type Server as NetServer, connect as netConnect, type Socket } from "node:net";
import { freePorts } from "./ports.ts";

export class Relay {
  readonly port: number = freePorts(1)[0] as number;
  readonly #listener: NetServer;
  readonly #open = new Set<Socket>();
  /** Connections that have come so far. */
  taken = 0;

  /** `to`: the server's port. */
  constructor(to: number) {
    this.#listener = createServer((near) => {
      this.taken++;
      const far = netConnect({ host: "127.0.0.1", port: to, noDelay: true });
      this.#open.add(near);
      near.on("close", () => {
        this.#open.delete(near);
        far.destroy();
      });
      far.on("close", () => near.destroy());
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on("error", () => {});
        from.on("data", (chunk) => void into.write(chunk));
        from.on("end", () => into.end());
      }
    });
  }

  start(): Promise<this> {
    return new Promise((resolve, reject) => {
      this.#listener.once("error", reject);
      this.#listener.listen(this.port, "127.0.0.1", () => resolve(this));
    });
  }

  get open(): number {
    return this.#open.size;
  }

  /** Nobody listens there any more, and its connections are closed. */
  async stop(): Promise<void> {
    if (!this.#listener.listening) return;
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }
}
