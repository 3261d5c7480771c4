/**
 * Figures as lines of StatsD: gauges `name:value|g`, counters `name:delta|c`. What a delta is counted from moves on only with what was really
 * sent, and was not refused.
 */
import type { Labels, MetricFamily } from "../../lib/metric_family.ts";

export const TAG_FORMS = ["off", "datadog", "influx"] as const;
export type TagForm = (typeof TAG_FORMS)[number];

export interface LineOptions {
  /** Before each name, with its own dot: "emqx.". */
  prefix: string;
  tags: TagForm;
  /** Of every line; not with `off`. */
  constant: Labels;
}

/** What fits one Ethernet frame behind the heads of IPv6 and UDP, with room for tunnels. */
const DATAGRAM_MAX = 1432;
const VALUE_MAX = 200;

/** One line; `count`: which counter it brings to which value. */
export interface Line {
  text: string;
  count: { key: string; value: number } | null;
}

/** All gauges, and the counters that have moved from `base` on. */
export function linesOf(families: readonly MetricFamily[], o: LineOptions, base: ReadonlyMap<string, number>): Line[] {
  const lines: Line[] = [];
  for (const { name, type, rows } of families) {
    for (const [labels, value] of rows) {
      if (!Number.isFinite(value)) continue;
      if (type === "gauge") lines.push({ text: line(o, name, labels, value, "g"), count: null });
      else {
        const key = keyOf(name, labels);
        const before = base.get(key) ?? 0;
        // One that begins anew, such as those of a plugin that was loaded again.
        const delta = value < before ? value : value - before;
        if (delta !== 0) lines.push({ text: line(o, name, labels, delta, "c"), count: { key, value } });
      }
    }
  }
  return lines;
}

/** Where the counters stand. */
export function countersOf(families: readonly MetricFamily[]): Map<string, number> {
  const counters = families.filter(({ type }) => type === "counter");
  return new Map(counters.flatMap(({ name, rows }) => rows.map(([labels, value]) => [keyOf(name, labels), value] as const)));
}

/** As few datagrams as there may be; a line that fits none is left out. */
export function datagrams(lines: readonly Line[]): Line[][] {
  const all: Line[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const one of lines) {
    const bytes = Buffer.byteLength(one.text);
    if (bytes > DATAGRAM_MAX) continue;
    if (size + 1 + bytes > DATAGRAM_MAX) {
      all.push([]);
      size = -1;
    }
    all.at(-1)?.push(one);
    size += 1 + bytes;
  }
  return all;
}

const keyOf = (name: string, labels: Labels): string => `${name} ${JSON.stringify(labels)}`;

function line({ prefix, tags, constant }: LineOptions, name: string, labels: Labels, value: number, type: "g" | "c"): string {
  const dotted = `${prefix}${word(name.replaceAll("/", "."))}`;
  const pairs = Object.entries({ ...constant, ...labels }).map(([key, v]) => [word(key), word(v.slice(0, VALUE_MAX), tags)] as const);
  if (tags === "datadog") return `${dotted}:${value}|${type}${pairs.length === 0 ? "" : `|#${pairs.map((p) => p.join(":")).join(",")}`}`;
  if (tags === "influx") return `${[dotted, ...pairs.map((p) => p.join("="))].join(",")}:${value}|${type}`;
  // Without tags a label is a level of the name.
  const levels = Object.values(labels).map((v) => word(v.slice(0, VALUE_MAX)).replaceAll(".", "_"));
  return `${[dotted, ...levels].join(".")}:${value}|${type}`;
}

/** What no server takes for the end of a name or of a tag. Datadog's tags may have colons and slashes in their values. */
function word(text: string, tags: TagForm = "off"): string {
  if (text === "") return "_";
  return text.replaceAll(tags === "datadog" ? /[^\w.:/~@-]/g : /[^\w.~-]/g, "_");
}
