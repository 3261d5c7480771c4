/** StatsD over UDP: nobody answers, so what is known is only what the network refuses. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { wordsOf } from "../../lib/errors.ts";
import type { MetricFamily } from "../../lib/metric_family.ts";
import { type ServerAddress, shownAddress } from "../_backend/address.ts";
import { Destination, type DestinationHost } from "./destination.ts";
import { countersOf, datagrams, type LineOptions, linesOf } from "./statsd.ts";

export interface UdpOptions extends LineOptions {
  server: ServerAddress;
}

/** Refusals come within this time, ms. */
const REFUSAL_MS = 300;
const NOBODY = "nobody listens there; see statsd.udp.server";

interface Socket {
  readonly ip: string;
  readonly socket: Pick<Bun.udp.ConnectedSocket<"buffer">, "send" | "close">;
}

export class Udp {
  readonly destination: Destination;
  #open: Socket | null = null;
  /** Where counters stood when what was last sent of them was not refused. */
  readonly #base: Map<string, number>;
  /** Sent, and not refused yet. */
  #sent = new Map<string, number>();
  #refused = false;
  /** A socket is looked for; then refusals are waited for. */
  #opening = false;
  #judging = false;
  #closed = false;

  /** What was counted before is not sent: its time is over. `after`: a timer. */
  constructor(
    host: DestinationHost,
    private readonly o: UdpOptions,
    private readonly families: () => readonly MetricFamily[],
    private readonly after: (ms: number, fn: () => void) => void,
  ) {
    this.destination = new Destination(host, udpWhat(o.server), "udp_down");
    this.#base = countersOf(families());
  }

  /** Never rejects. */
  async flush(): Promise<void> {
    if (this.#opening || this.#judging || this.#closed) return;
    this.#opening = true;
    const { destination: d } = this;
    d.began();
    try {
      const { socket } = await this.#socket();
      // Unloaded meanwhile.
      if (this.#closed) return;
      this.#settle();
      this.#send(socket);
      this.#judging = true;
      this.after(REFUSAL_MS, () => this.#judge());
    } catch (err) {
      d.failed("failed", `${wordsOf(err)}; see statsd.udp.server`);
    } finally {
      this.#opening = false;
    }
  }

  /** The last figures, on the way out. */
  async close(): Promise<void> {
    if (!this.#opening && !this.#closed && this.#open !== null) {
      this.#settle();
      try {
        this.#send(this.#open.socket);
      } catch (err) {
        // Refused, of what was sent before: nobody is there to hear the last ones.
        this.destination.failed("refused", wordsOf(err));
      }
    }
    this.#closed = true;
    this.#open?.socket.close();
    this.#open = null;
  }

  /** What was sent before is there, unless it was refused: then it is sent again. */
  #settle(): void {
    if (!this.#refused) for (const [key, value] of this.#sent) this.#base.set(key, value);
    this.#sent = new Map();
    this.#refused = false;
  }

  #send(socket: Socket["socket"]): void {
    const families = this.families();
    for (const lines of datagrams(linesOf(families, this.o, this.#base))) {
      // False: the machine has no room for it. What was counted goes with the next one.
      if (!socket.send(lines.map(({ text }) => text).join("\n"))) continue;
      for (const { count } of lines) if (count !== null) this.#sent.set(count.key, count.value);
    }
    const known = countersOf(families);
    for (const key of this.#base.keys()) if (!known.has(key)) this.#base.delete(key);
  }

  #judge(): void {
    if (this.#closed) return;
    this.#judging = false;
    if (this.#refused) this.destination.failed("refused", NOBODY);
    else this.destination.arrived(null);
  }

  /** The name may have come to stand for another address. */
  async #socket(): Promise<Socket> {
    const ip = await addressOf(this.o.server.host);
    if (this.#open?.ip === ip) return this.#open;
    this.#open?.socket.close();
    this.#open = null;
    const socket = await connected(ip, this.o.server.port, () => {
      this.#refused = true;
    });
    this.#open = { ip, socket };
    if (this.#closed) socket.close();
    return this.#open;
  }
}

const udpWhat = (server: ServerAddress): string => `StatsD at ${shownAddress(server)}`;

async function addressOf(host: string): Promise<string> {
  return isIP(host) > 0 ? host : (await lookup(host)).address;
}

/** `onError` also hears what the network refuses: without it the runtime would raise that where nobody catches it. */
function connected(ip: string, port: number, onError: () => void) {
  return Bun.udpSocket({
    hostname: isIP(ip) === 6 ? "::" : "0.0.0.0",
    connect: { hostname: ip, port },
    socket: { error: onError, data() {} },
  });
}

/** An empty datagram, which is nothing to StatsD. @throws Error in words */
export async function tryUdp(server: ServerAddress, sleep: (ms: number) => Promise<void>): Promise<string> {
  let refused = false;
  const ip = await addressOf(server.host).catch((err: unknown) => {
    throw new Error(`${wordsOf(err)}; see statsd.udp.server`);
  });
  const socket = await connected(ip, server.port, () => {
    refused = true;
  });
  try {
    socket.send("");
    await sleep(REFUSAL_MS);
  } finally {
    socket.close();
  }
  if (refused) throw new Error(NOBODY);
  return `${udpWhat(server)} does not refuse what is sent; UDP does not say whether somebody reads it`;
}
