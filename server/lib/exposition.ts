/** Prometheus text (0.0.4), as scraped from the API and pushed by emqx_statsd. */
import type { MetricFamily } from "./metric_family.ts";

type Named = Pick<MetricFamily, "type" | "help" | "rows">;

/** Families by name: of two with one name the first counts, for a page that has a name twice is refused as a whole. */
function page(families: Iterable<readonly [name: string, family: Named]>): string {
  const seen = new Set<string>();
  const lines: string[] = [];
  for (const [name, { type, help, rows }] of families) {
    if (rows.length === 0 || seen.has(name)) continue;
    seen.add(name);
    lines.push(`# HELP ${name} ${escaped(help)}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of rows) lines.push(`${name}${braced(labels)} ${value}`);
  }
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}

/** Everything: under the names of EMQ X, so that boards made for it go on working, and under clean ones. */
export function allAsText(families: readonly MetricFamily[]): string {
  return page(families.flatMap((f) => [...f.emqx.map((name) => [name, f] as const), [cleanName(f), f] as const]));
}

/** What EMQ X had, as far as it is among `wanted`; without words, as there. */
export function emqxAsText(families: readonly MetricFamily[], wanted: ReadonlySet<string>): string {
  return page(families.flatMap((f) => f.emqx.filter((name) => wanted.has(name)).map((name) => [name, { ...f, help: "" }] as const)));
}

/** Counters of plugins have the names their authors gave them. `_count` is the end of a histogram's or a summary's alone. */
function cleanName({ name, type }: MetricFamily): string {
  const plain = `baomq_${underscored(name)}`;
  return type === "counter" ? `${plain}_total` : plain.replace(/_count$/, "");
}

export const underscored = (name: string): string => name.replaceAll(/[^a-zA-Z0-9_]/g, "_");

function braced(labels: Readonly<Record<string, string>>): string {
  const text = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value).replaceAll('"', '\\"')}"`);
  return text.length === 0 ? "" : `{${text.join(",")}}`;
}

const escaped = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
