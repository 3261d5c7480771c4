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
  const kinds = ["lost", "misordered", "dup", "corrupt", "stalls", "disconnects"] as const;
  return kinds
    .filter((k) => (r[k] ?? 0) > 0)
    .map((k) => `${r[k]} ${k}`)
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

/** `names` are the columns; the first is compared with the best of the others. */
export function table(scenarios: readonly Scenario[], names: readonly string[], all: readonly Measurement[]): string {
  const [own = "", ...others] = names;
  const rows = [["scenario", ...names, ...(others.length > 0 ? ["against the best other"] : [])]];
  const notes: string[] = [];
  for (const s of scenarios) {
    const row = [s.title];
    for (const name of names) {
      const bad = all.find((m) => m.scenario === s.id && m.broker === name && complaint(m.result) !== "");
      if (bad) notes.push(`${s.title}, ${name}: ${complaint(bad.result)}`);
      const values = figures(s, name, all);
      row.push((values.length === 0 ? "–" : values.map(show).join(" / ")) + (bad ? ` [${notes.length}]` : ""));
    }
    if (others.length > 0) row.push(ratio(s, own, others, all));
    rows.push(row);
  }
  return [toMarkdown(rows), ...(notes.length > 0 ? ["", ...notes.map((n, i) => `[${i + 1}] ${n}`)] : [])].join("\n");
}

/** By the last figure: p99 where there are two. */
function ratio(s: Scenario, own: string, others: readonly string[], all: readonly Measurement[]): string {
  const last = (name: string) => figures(s, name, all).at(-1) ?? Number.NaN;
  const values = others.map(last).filter((v) => !Number.isNaN(v));
  const best = s.units === "k" ? Math.max(...values) : Math.min(...values);
  const r = last(own) / best;
  return Number.isFinite(r) ? `${r.toFixed(r < 10 ? 2 : 1)} ×` : "–";
}
