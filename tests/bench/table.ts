/** From measurements to a Markdown table. */
import { cpus, release, totalmem } from "node:os";
import type { LoadResult } from "./generator.ts";
import type { Scenario } from "./scenarios.ts";

export interface Measurement {
  scenario: string;
  broker: string;
  round: number;
  result: LoadResult;
}

/** The brokers that were measured, in order; which of them is BaoMQ, and which its other build. */
export interface Columns {
  names: readonly string[];
  own: string;
  base?: string | undefined;
}

export function median(values: number[]): number {
  const sorted = values.filter((v) => !Number.isNaN(v)).sort((a, b) => a - b);
  if (sorted.length === 0) return Number.NaN;
  const mid = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[mid] as number) : ((sorted[mid - 1] as number) + (sorted[mid] as number)) / 2;
}

function show(value: number): string {
  if (Number.isNaN(value)) return "–";
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

/** What went wrong in a run that should have delivered everything once and in order; "" = nothing. */
export function complaint(r: LoadResult): string {
  if (r.error !== undefined) return r.error;
  const kinds = {
    lost: "lost",
    misordered: "misordered",
    dup: "dup",
    corrupt: "corrupt",
    stalls: "stalls",
    disconnects: "disconnects",
    unconnected: "not connected",
    churn_behind: "filters behind",
  } as const;
  return (Object.keys(kinds) as (keyof typeof kinds)[])
    .filter((k) => (r[k] ?? 0) > 0)
    .map((k) => `${r[k]} ${kinds[k]}`)
    .join(", ");
}

/** Medians of each figure over the rounds. */
export function figures(s: Scenario, broker: string, all: readonly Measurement[]): number[] {
  const rounds = all.filter((m) => m.scenario === s.id && m.broker === broker && m.result.error === undefined);
  const columns: number[][] = [];
  for (const m of rounds) {
    for (const [i, v] of s.figures(m.result).entries()) {
      const column = columns[i] ?? [];
      column.push(v ?? Number.NaN);
      columns[i] = column;
    }
  }
  return columns.map(median);
}

export const toMarkdown = (rows: string[][]): string => {
  const [head = [], ...body] = rows;
  return [head, head.map((_, i) => (i === 0 ? "---" : "--:")), ...body].map((r) => `| ${r.join(" | ")} |`).join("\n");
};

export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  return `${model}, ${cpus().length} cores, ${Math.round(totalmem() / 1024 ** 3)} GB, ${process.platform} ${release()}`;
}

/** A row for each scenario; the last columns hold BaoMQ against the best of the others, and against its other build. */
export function table(scenarios: readonly Scenario[], { names, own, base }: Columns, all: readonly Measurement[]): string {
  const others = names.filter((name) => name !== own && name !== base);
  const against: [title: string, names: readonly string[]][] = [];
  if (names.includes(own) && others.length > 0) against.push([`${own} / best other`, others]);
  if (names.includes(own) && base !== undefined && names.includes(base)) against.push([`${own} / ${base}`, [base]]);
  const rows = [["scenario", ...names, ...against.map(([title]) => title)]];
  const notes: string[] = [];
  for (const s of scenarios) {
    const row = [s.title];
    for (const name of names) {
      const bad = all.find((m) => m.scenario === s.id && m.broker === name && complaint(m.result) !== "");
      if (bad) notes.push(`${s.title}, ${name}: ${complaint(bad.result)}`);
      const values = figures(s, name, all);
      row.push((values.length === 0 ? "–" : values.map(show).join(" / ")) + (bad ? ` [${notes.length}]` : ""));
    }
    rows.push([...row, ...against.map(([, whom]) => ratio(s, own, whom, all))]);
  }
  return [toMarkdown(rows), ...(notes.length > 0 ? ["", ...notes.map((n, i) => `[${i + 1}] ${n}`)] : [])].join("\n");
}

/** Of each figure by itself: who is best in one need not be so in the other. Below 1 is better where less is. */
function ratio(s: Scenario, own: string, others: readonly string[], all: readonly Measurement[]): string {
  const theirs = others.map((name) => figures(s, name, all));
  const ratios = figures(s, own, all).map((mine, i) => {
    const values = theirs.map((t) => t[i] ?? Number.NaN).filter((v) => !Number.isNaN(v));
    const r = mine / (s.units === "k" ? Math.max(...values) : Math.min(...values));
    return Number.isFinite(r) && r > 0 ? r.toFixed(r < 10 ? 2 : 1) : "–";
  });
  return ratios.length === 0 || ratios.every((r) => r === "–") ? "–" : `${ratios.join(" / ")} ×`;
}
