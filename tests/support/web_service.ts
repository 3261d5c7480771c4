/** A web service that is told of things, and answers as the test wants: with a status, late, never, by hanging up, or not at all because it is away. */
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { freePorts } from "./ports.ts";

export type Mood = "ok" | "hang" | "reset" | { status: number } | { afterMs: number };

interface Told {
  action: string;
  [field: string]: unknown;
}

export class WebService {
  readonly port: number = freePorts(1)[0] as number;
  /** What was taken: the bodies of requests that were answered with 200, those of an array one by one. */
  readonly taken: Told[] = [];
  readonly headers: Record<string, string>[] = [];
  /** Requests that have come. */
  requests = 0;
  mood: Mood = "ok";
  #http: Bun.Server<undefined> | null = null;
  #rude: NetServer | null = null;
  readonly #sockets = new Set<Socket>();

  constructor(private readonly tls: Bun.TLSOptions | null = null) {}

  get url(): string {
    return `${this.tls === null ? "http" : "https"}://127.0.0.1:${this.port}/hook`;
  }

  start(): this {
    this.#http = Bun.serve({
      port: this.port,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      ...(this.tls !== null && { tls: this.tls }),
      fetch: (request) => this.#answer(request),
    });
    return this;
  }

  async #answer(request: Request): Promise<Response> {
    this.requests++;
    const { mood } = this;
    if (mood === "hang" || mood === "reset") return new Promise<Response>(() => {});
    const text = await request.text();
    if (mood !== "ok" && "status" in mood) return new Response("not now", { status: mood.status });
    if (mood !== "ok") await Bun.sleep(mood.afterMs);
    const body = JSON.parse(text) as Told | Told[];
    this.headers.push(request.headers.toJSON());
    this.taken.push(...(Array.isArray(body) ? body : [body]));
    return new Response("ok");
  }

  /** Nobody listens there any more. */
  async stop(): Promise<void> {
    await this.#http?.stop(true);
    this.#http = null;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => (this.#rude === null ? resolve() : this.#rude.close(() => resolve())));
    this.#rude = null;
  }

  /** Whoever sends something is hung up on, in the hard way. */
  async rude(): Promise<void> {
    await this.stop();
    this.#rude = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("data", () => {
        this.requests++;
        socket.resetAndDestroy();
      });
    });
    await new Promise<void>((resolve) => this.#rude?.listen(this.port, "127.0.0.1", resolve));
  }

  of(action: string): Told[] {
    return this.taken.filter((t) => t.action === action);
  }
}
