/** Requests as bytes: half of them, or with readers that do not read. */
import net from "node:net";

export class RawRequest {
  text = "";
  closed = false;
  readonly #socket: net.Socket;
  #changed: (() => void)[] = [];

  /** `from`: the address it comes from, e.g. 127.0.0.2. */
  constructor(port: number, bytes: string, { from = "127.0.0.1", reads = true }: { from?: string; reads?: boolean } = {}) {
    this.#socket = net.connect({ port, host: "127.0.0.1", localAddress: from });
    this.#socket.on("connect", () => this.#socket.write(bytes));
    if (reads) this.#socket.on("data", (d) => this.#change(() => (this.text += d.toString("latin1"))));
    else this.#socket.pause();
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.#change(() => (this.closed = true)));
  }

  #change(how: () => void): void {
    how();
    for (const wake of this.#changed.splice(0)) wake();
  }

  async until(condition: (r: this) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#changed.push(resolve));
    return this;
  }

  /** Of the answer's first line, as soon as it is there. */
  async status(): Promise<number> {
    await this.until((r) => r.text.includes("\r\n") || r.closed);
    return Number(this.text.split(" ")[1]);
  }

  send(bytes: string): void {
    this.#socket.write(bytes);
  }
  destroy(): void {
    this.#socket.destroy();
  }
}

/** `METHOD /path`, headers, and the beginning of a body. */
export function requestText(line: string, headers: Record<string, string>, body = ""): string {
  const lines = Object.entries({ Host: "127.0.0.1", ...headers }).map(([k, v]) => `${k}: ${v}`);
  return [`${line} HTTP/1.1`, ...lines, "", body].join("\r\n");
}
