/**
 * The stats of EMQ X 3.1: gauges with the largest value since boot. Exact when read: a gauge is a function that counts now.
 * A peak between two reads is kept when its owner calls `note` at the change, or `sample` is called at the tick.
 */

/** Gauges by name; each shows as `<name>/count` and `<name>/max`. */
const GAUGES = [
  "connections",
  "sessions",
  "sessions/persistent",
  "topics",
  "routes",
  "subscriptions",
  "subscriptions/shared",
  "subscribers",
  "suboptions",
  "retained",
] as const;
export type Gauge = (typeof GAUGES)[number];

interface Entry {
  read: () => number;
  max: number;
}

export class Stats {
  private readonly entries: Map<Gauge, Entry>;

  constructor() {
    this.entries = new Map(GAUGES.map((name) => [name, { read: () => 0, max: 0 }]));
  }

  /** Say how a gauge is read. Its maximum stays. */
  provide(name: Gauge, read: () => number): void {
    this.entry(name).read = read;
  }

  /** The gauge has just changed to `value`: keep it if it is a new maximum. */
  note(name: Gauge, value: number): void {
    const e = this.entry(name);
    if (value > e.max) e.max = value;
  }

  /** Look at every gauge for a new maximum. */
  sample(): void {
    for (const e of this.entries.values()) read(e);
  }

  count(name: Gauge): number {
    return read(this.entry(name));
  }

  max(name: Gauge): number {
    const e = this.entry(name);
    read(e);
    return e.max;
  }

  /** Value of a stat by its full name, e.g. "connections/max"; undefined when there is none. */
  get(name: string): number | undefined {
    const cut = name.lastIndexOf("/");
    const gauge = name.slice(0, cut) as Gauge;
    if (!this.entries.has(gauge)) return undefined;
    if (name.endsWith("/count")) return this.count(gauge);
    return name.endsWith("/max") ? this.max(gauge) : undefined;
  }

  /** All stats in a fixed order: 18 of EMQ X 3.1.0 and the two `suboptions` of 3.1.1. */
  all(): Record<string, number> {
    const out: Record<string, number> = {};
    for (const [name, e] of this.entries) {
      out[`${name}/count`] = read(e);
      out[`${name}/max`] = e.max;
    }
    return out;
  }

  private entry(name: Gauge): Entry {
    const e = this.entries.get(name);
    if (!e) throw new Error(`unknown stat ${name}`);
    return e;
  }
}

function read(e: Entry): number {
  const now = e.read();
  if (now > e.max) e.max = now;
  return now;
}
