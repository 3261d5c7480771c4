/**
 * InfluxDB's line protocol: `measurement,tag=value field=1i,other="text" 1700000000000`. Escaping as its reference and Telegraf have it; what cannot
 * be said in it (an empty tag, a number that is none) is left out.
 */
import { boundedText, compileRowTemplate, type RowTemplate, rowJson } from "../_backend/row_template.ts";
import type { Row } from "./connector.ts";

export type Precision = "ns" | "us" | "ms" | "s";

export interface LineTemplate {
  /** @throws Error in words: the row makes no line. `at`: Unix ms, where the template has no timestamp */
  line(row: Row, at: number): string;
}

/** Lines end lines, even where they are escaped: they become blanks. A backslash at the end would escape what follows. */
const plain = (text: string): string => text.replaceAll(/[\r\n\0]/g, " ").replace(/\\+$/, "");
const measurementText = (text: string): string => plain(text).replaceAll(/[, ]/g, "\\$&");
const keyText = (text: string): string => plain(text).replaceAll(/[, =]/g, "\\$&");
const stringText = (text: string): string => `"${text.replaceAll(/[\\"]/g, "\\$&").replaceAll("\0", "")}"`;

/** Integers of 64 bits, as InfluxDB keeps them. */
const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

interface Field {
  readonly name: string;
  readonly template: RowTemplate;
  /** `any`: as the value is. */
  readonly as: "any" | "integer" | "unsigned" | "text";
}

/** `${a}` as it is, `${a}i` an integer, `${a}u` an unsigned one, anything else a text; in quotes a text whatever it is. */
function fieldOf(name: string, value: unknown): Field {
  const key = keyText(name);
  if (key === "") throw new Error("fields: a name is empty");
  if (typeof value === "number" || typeof value === "boolean") return { name: key, template: compileRowTemplate(String(value)), as: "any" };
  if (typeof value !== "string") throw new Error(`fields.${name}: expected a text`);
  const [, single, suffix] = /^(\$\{[^{}]*\})([iu]?)$/.exec(value.trim()) ?? [];
  if (single !== undefined)
    return { name: key, template: compileRowTemplate(single), as: suffix === "i" ? "integer" : suffix === "u" ? "unsigned" : "any" };
  const quoted = /^"(.*)"$/s.exec(value.trim())?.[1];
  return { name: key, template: compileRowTemplate(quoted ?? value), as: quoted === undefined && isLiteral(value) ? "any" : "text" };
}

const isLiteral = (text: string): boolean => /^(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?[iu]?|true|false)$/i.test(text.trim());

/** null = it is left out. @throws Error in words */
function fieldText({ name, template, as }: Field, row: Row): string | null {
  const value = as === "text" ? template.strict(row) : template.constant ? template.source.trim() : template.value(row);
  if (value === undefined || value === null) return null;
  if (as === "integer" || as === "unsigned") return integerText(name, value, as);
  if (as === "any" && template.constant) return String(value);
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) ? String(value) : null;
    // As every number that is not said to be an integer: of one type, whatever its size.
    case "bigint":
    case "boolean":
      return String(value);
    case "string":
      return stringText(value);
    default:
      return stringText(value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : rowJson(value));
  }
}

function integerText(name: string, value: unknown, as: "integer" | "unsigned"): string {
  const text = typeof value === "boolean" ? String(Number(value)) : String(value).trim();
  const number = /^-?\d+$/.test(text)
    ? BigInt(text)
    : Number.isFinite(Number(text)) && text !== ""
      ? BigInt(Math.trunc(Number(text)))
      : null;
  const [least, most] = as === "unsigned" ? [0n, UINT_MAX] : [INT_MIN, INT_MAX];
  if (number === null || number < least || number > most)
    throw new Error(`fields.${name}: ${JSON.stringify(text.slice(0, 40))} is no ${as === "unsigned" ? "unsigned " : ""}integer of 64 bits`);
  return `${number}${as === "unsigned" ? "u" : "i"}`;
}

/** @throws Error naming the parameter that cannot be */
export function compileLine(
  p: {
    measurement: string;
    tags: Readonly<Record<string, unknown>>;
    fields: Readonly<Record<string, unknown>>;
    /** "" = that of the event. */
    timestamp: string;
  },
  precision: Precision,
): LineTemplate {
  const measurement = compileRowTemplate(p.measurement);
  const tags = Object.entries(p.tags).map(([name, value]) => {
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
      throw new Error(`tags.${name}: expected a text`);
    return [keyText(name), compileRowTemplate(String(value))] as const;
  });
  // A server sorts them anyhow: in order they cost it less.
  tags.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const fields = Object.entries(p.fields).map(([name, value]) => fieldOf(name, value));
  if (fields.length === 0) throw new Error("fields: expected one at least");
  const timestamp = p.timestamp.trim() === "" ? null : compileRowTemplate(p.timestamp);
  return {
    line(row, at) {
      const name = measurementText(measurement.strict(row) ?? "");
      if (name === "" || name.startsWith("#")) throw new Error("measurement: it is empty, or begins with #");
      let out = name;
      for (const [key, template] of tags) {
        const value = keyText(template.strict(row) ?? "");
        if (value !== "") out += `,${key}=${value}`;
        boundedText(out.length);
      }
      let length = out.length;
      const texts = fields.flatMap((field) => {
        const text = fieldText(field, row);
        if (text === null) return [];
        length += text.length;
        boundedText(length);
        return [`${field.name}=${text}`];
      });
      if (texts.length === 0) throw new Error("fields: none of them is there");
      return `${out} ${texts.join(",")} ${timestamp === null ? inPrecision(at, precision) : givenTime(timestamp, row)}`;
    },
  };
}

function givenTime(template: RowTemplate, row: Row): string {
  const text = template.strict(row) ?? "";
  if (!/^-?\d{1,19}$/.test(text)) throw new Error(`timestamp: expected a whole number, found ${JSON.stringify(text.slice(0, 40))}`);
  return text;
}

function inPrecision(ms: number, precision: Precision): string {
  switch (precision) {
    case "s":
      return String(Math.floor(ms / 1000));
    case "ms":
      return String(Math.floor(ms));
    case "us":
      return `${Math.floor(ms)}000`;
    case "ns":
      return `${Math.floor(ms)}000000`;
  }
}
