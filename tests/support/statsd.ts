/** A StatsD server as far as tests need one: reads lines in the plain form, Datadog's and InfluxDB's, adds up counters, keeps gauges. */

export interface StatsdLine {
  name: string;
  value: number;
  type: "c" | "g";
  tags: Record<string, string>;
}

const NAME = /^[\w.~-]+$/;
const DATAGRAM_MAX = 1432;

/** @throws Error that shows the line */
export function readStatsd(line: string): StatsdLine {
  const [, head = "", value = "", type = "", dogs = ""] = /^([^:|]+):(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\|([cg])(?:\|#(.+))?$/.exec(line) ?? [];
  const [name = "", ...influx] = head.split(",");
  const pairs = [
    ...influx.map((p) => p.split("=")),
    ...(dogs === "" ? [] : dogs.split(",").map((p) => [p.slice(0, p.indexOf(":")), p.slice(p.indexOf(":") + 1)])),
  ];
  if (!NAME.test(name) || pairs.some((p) => p.length !== 2 || !NAME.test(p[0] as string) || p[1] === ""))
    throw new Error(`no line of StatsD: ${line}`);
  return { name, value: Number(value), type: type as "c" | "g", tags: Object.fromEntries(pairs) as Record<string, string> };
}

export class StatsdServer {
  readonly lines: StatsdLine[] = [];
  readonly faults: string[] = [];
  datagrams = 0;
  readonly #counts = new Map<string, number>();
  readonly #gauges = new Map<string, number>();
  #socket: Bun.udp.Socket<"buffer"> | null = null;

  async start(port = 0, hostname = "127.0.0.1"): Promise<void> {
    this.#socket = await Bun.udpSocket({ port, hostname, socket: { data: (_, bytes) => this.#take(bytes), error: () => {} } });
  }

  #take(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.datagrams++;
    if (bytes.length > DATAGRAM_MAX) this.faults.push(`a datagram of ${bytes.length} bytes`);
    for (const text of bytes.toString("utf8").split("\n")) {
      try {
        const line = readStatsd(text);
        this.lines.push(line);
        if (line.type === "g") this.#gauges.set(line.name, line.value);
        else this.#counts.set(line.name, this.count(line.name) + line.value);
      } catch (err) {
        this.faults.push(String(err));
      }
    }
  }

  /** All that came of it. */
  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }
  gauge(name: string): number | undefined {
    return this.#gauges.get(name);
  }
  get port(): number {
    return this.#socket?.port ?? 0;
  }
  stop(): void {
    this.#socket?.close();
    this.#socket = null;
  }
}
