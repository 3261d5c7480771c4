/** Erlang's `io:format`, as far as it makes sense of JSON's values: `~F.P.PadModC`. */
import { ArgumentError, Refusal } from "../errors.ts";
import { bounded, boundedSoFar, textOf, toJson, type Value } from "../values.ts";
import { bigOf } from "../wholes.ts";
import { number, text } from "./table.ts";

/** Most characters that a width or a precision may ask for. */
const MAX_WIDTH = 10_000;
const SEQUENCE = /~(?:(-?\d{1,9}|\*)?(?:\.(\d{1,9}|\*)?(?:\.([\s\S]))?)?(?:tl|t|l|k|K)?([a-zA-Z~#+])|)/g;

interface Spec {
  width: number | null;
  precision: number | null;
  fill: string;
}

/** @throws ArgumentError for a sequence that does not exist, a value of another kind, too few or too many values */
export function format(template: string, values: readonly Value[]): string {
  let at = 0;
  const next = (): Value => {
    if (at >= values.length) throw new Refusal(`the format asks for more than ${values.length} values`);
    return values[at++];
  };
  const size = (written: string | undefined): number | null => {
    if (written === undefined) return null;
    const n = written === "*" ? number(next()) : Number(written);
    if (!Number.isInteger(n) || Math.abs(n) > MAX_WIDTH) throw new ArgumentError(`a width of at most ${MAX_WIDTH}`, n);
    return n;
  };
  let length = 0;
  const out = template.replace(SEQUENCE, (all, width?: string, precision?: string, fill?: string, control?: string) => {
    const spec: Spec = { width: size(width), precision: size(precision), fill: fill ?? " " };
    const made = control === undefined ? unknown(all) : written(control, spec, next, all);
    length += made.length;
    boundedSoFar(length);
    return made;
  });
  if (at < values.length) throw new Refusal(`the format asks for ${at} of ${values.length} values`);
  return bounded(out);
}

function unknown(sequence: string): never {
  throw new ArgumentError("a format such as ~s, ~p or ~.2f", sequence);
}

function written(control: string, spec: Spec, next: () => Value, sequence: string): string {
  switch (control) {
    case "~":
      return "~";
    case "n":
      return "\n".repeat(Math.max(0, spec.width ?? 1));
    case "s": {
      const t = textOf(next());
      const s = typeof t === "string" ? t : Buffer.from(t).toString("latin1");
      // What does not fit into the field is cut, of text only.
      return field(s.slice(0, Math.abs(spec.precision ?? spec.width ?? s.length)), spec);
    }
    case "p":
    case "w":
    case "P":
    case "W":
      return field(plain(next()), spec);
    case "b":
    case "B":
    case "x":
    case "X":
    case "+":
    case "#":
      return integer(control, spec, next());
    case "f":
      return field(number(next()).toFixed(decimals(spec.precision ?? 6)), spec);
    case "e":
      return field(number(next()).toExponential(decimals((spec.precision ?? 6) - 1)), spec);
    case "g": {
      const n = number(next());
      const isPlain = n === 0 || (Math.abs(n) >= 0.1 && Math.abs(n) < 10_000);
      return field(isPlain ? n.toFixed(decimals(spec.precision ?? 5)) : n.toExponential(decimals(spec.precision ?? 5)), spec);
    }
    case "c": {
      const code = number(next());
      if (!Number.isInteger(code) || code < 0 || code > 0x10ffff) throw new ArgumentError("the code of a character", code);
      return field(String.fromCodePoint(code).repeat(Math.max(0, spec.precision ?? Math.abs(spec.width ?? 1))), spec);
    }
    case "i":
      next();
      return "";
    default:
      return unknown(sequence);
  }
}

/** Text as it is, everything else as JSON. */
function plain(v: Value): string {
  if (typeof v === "string") return v;
  return v === undefined ? "undefined" : v instanceof Uint8Array ? Buffer.from(v).toString("latin1") : toJson(v);
}

function decimals(n: number): number {
  if (n < 0 || n > 100) throw new ArgumentError("0 to 100 decimals", n);
  return n;
}

/** ~b in a base (2 to 36), ~+ and ~# with the base in front, as Erlang writes it. */
function integer(control: string, spec: Spec, v: Value): string {
  const base = spec.precision ?? 10;
  if (base < 2 || base > 36) throw new ArgumentError("a base from 2 to 36", base);
  const digits = bigOf(v).toString(base);
  const isUpper = control === "B" || control === "X" || control === "#";
  const prefix = control === "+" || control === "#" ? `${base}#` : "";
  const signed = digits.startsWith("-") ? `-${prefix}${digits.slice(1)}` : prefix + digits;
  return field(isUpper ? signed.toUpperCase() : signed, spec);
}

/** To the right of its field; a negative width: to the left. What does not fit is stars, as in Erlang. */
function field(s: string, { width, fill }: Spec): string {
  if (width === null) return s;
  const size = Math.abs(width);
  if (s.length > size) return "*".repeat(size);
  return width < 0 ? s.padEnd(size, text(fill)) : s.padStart(size, fill);
}
