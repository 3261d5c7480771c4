/** Steps of the access chain, and of a plugin's test, in lines: what was decided, how long that took, what was asked of whom. */
import type { AskedRow } from "../api/contract.ts";

interface Step {
  readonly step: string;
  readonly verdict: string;
  readonly final?: boolean;
  readonly why: string;
  readonly ms: number;
  readonly asked?: readonly AskedRow[];
}

/** Shorter is no time, ms: most steps look something up. */
const SHOWN_MS = 0.05;
const STEP_WIDTH = 24;
const OWN: ReadonlySet<string> = new Set(["step", "verdict", "final", "why", "ms", "asked", "question", "values", "answer", "rows"]);

/** A step's own line, and beneath it what else is told of it. Of steps one of which decides that one has a star. */
export function stepLines(s: Step): string[] {
  const mark = s.final === undefined ? "" : s.final ? "* " : "  ";
  return [
    `${mark}${s.step.padEnd(STEP_WIDTH)} ${s.verdict.padEnd(7)} ${s.why}${took(s.ms)}`,
    ...details(s).map((line) => `    ${line}`),
    ...(s.asked ?? []).flatMap((a) => askedLines(a).map((line) => `    ${line}`)),
  ];
}

function askedLines(a: AskedRow): string[] {
  const values = a.values.map((value) => `  with   ${value}`);
  const rows = (a.rows ?? []).map(
    (row, i) => `  ${String(i + 1).padStart(6)} ${row.map(({ name, value }) => `${name}: ${value ?? "NULL"}`).join(", ")}`,
  );
  return [`asked: ${a.question}`, ...values, `  answer ${a.answer}${took(a.ms)}`, ...rows, ...details(a).map((line) => `  ${line}`)];
}

/** Whatever else a row has, by its name: a node may know more of a step than this program. */
function details(row: object): string[] {
  return Object.entries(row).flatMap(([name, value]) => (OWN.has(name) || isNothing(value) ? [] : [`${name}: ${inWords(value)}`]));
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
}

function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.map(inWords).join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([name, of]) => `${name}=${inWords(of)}`)
    .join(", ");
}

const took = (ms: number): string => (ms < SHOWN_MS ? "" : ` (${ms.toFixed(1)} ms)`);
