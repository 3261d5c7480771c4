/**
 * Parameters of actions and configurations of resources, against what their kind says of them (EMQ X 3.1), and the secrets among them: those
 * are masked wherever they are shown, and a mask that comes back stands for what is saved.
 */
import { hasMask, MASK, MASK_ALONE, namesSecret, withoutSecrets } from "../../lib/mask.ts";
import { nearest } from "../../lib/nearest.ts";
import { validTopicFilter } from "../../mqtt/topic.ts";
import { compileRowTemplate } from "../_backend/row_template.ts";
import type { ParamSpec, Params, ParamsSpec } from "../plugin.ts";

/** Of all parameters of one action as JSON, characters. */
const ALL_MAX = 256 * 1024;
const ITEMS_MAX = 1000;

type Fields = Readonly<Record<string, unknown>>;

/** @throws Error, naming the parameter and what was expected */
export function checkParams(given: unknown, spec: ParamsSpec): Params {
  if (JSON.stringify(given ?? {}).length > ALL_MAX) throw new Error(`parameters have at most ${ALL_MAX} characters as JSON`);
  return checkFields(given ?? {}, spec, "");
}

function checkFields(given: unknown, spec: ParamsSpec, within: string): Params {
  if (typeof given !== "object" || given === null || Array.isArray(given)) throw wrong(within || "params", "an object", given);
  const fields = given as Fields;
  const out: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(spec)) {
    const where = within === "" ? name : `${within}.${name}`;
    const value = unset(fields[name], row) ? row.default : fields[name];
    if (value === undefined || value === null) {
      if (row.required === true) throw new Error(`${where} is missing: ${row.description || row.title}`);
      continue;
    }
    define(out, name, checkValue(value, row, where));
  }
  const names = Object.keys(spec);
  for (const name of Object.keys(fields)) {
    if (Object.hasOwn(spec, name)) continue;
    // EMQ X 3.1 takes what it does not know, and its own examples make use of that. A slip of the finger is something else.
    const meant = nearest(name, names);
    if (meant !== null && fields[meant] === undefined) throw new Error(`unknown parameter ${name}, did you mean ${meant}?`);
    define(out, name, fields[name]);
  }
  return out;
}

/** Forms send "" for what nobody has typed. */
const unset = (value: unknown, row: ParamSpec): boolean =>
  value === undefined || value === null || (value === "" && (row.type !== "string" || (row.enum !== undefined && !row.enum.includes(""))));

/** Plain assignment would take `__proto__` for something else. */
function define(out: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(out, name, { value, enumerable: true, configurable: true, writable: true });
}

function checkValue(given: unknown, row: ParamSpec, where: string): unknown {
  const value = converted(given, row);
  if (row.enum !== undefined && !row.enum.includes(value))
    throw wrong(where, `one of ${row.enum.map((e) => JSON.stringify(e)).join(", ")}`, given);
  switch (row.type) {
    case "string":
      if (typeof value !== "string") throw wrong(where, "a text", given);
      checkFormat(value, row, where);
      return value;
    case "number":
    case "float":
      if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(where, "a number", given);
      if (row.range !== undefined && (value < row.range[0] || value > row.range[1]))
        throw wrong(where, `a number from ${row.range[0]} to ${row.range[1]}`, given);
      return value;
    case "boolean":
      if (typeof value !== "boolean") throw wrong(where, "true or false", given);
      return value;
    case "array":
      if (!Array.isArray(value)) throw wrong(where, "an array", given);
      if (value.length > ITEMS_MAX) throw new Error(`${where} has at most ${ITEMS_MAX} elements`);
      return row.items === undefined ? value : value.map((v, i) => checkValue(v, row.items as ParamSpec, `${where}[${i + 1}]`));
    case "object":
      if (row.schema !== undefined) return checkFields(value, row.schema, where);
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(where, "an object", given);
      if (Object.keys(value).length > ITEMS_MAX) throw new Error(`${where} has at most ${ITEMS_MAX} fields`);
      return value;
  }
}

/** Forms send numbers and flags as texts. */
function converted(value: unknown, { type }: ParamSpec): unknown {
  if (typeof value !== "string") return value;
  if (type === "number" || type === "float") return value.trim() === "" ? value : Number(value);
  if (type === "boolean") return value === "true" ? true : value === "false" ? false : value;
  return value;
}

function checkFormat(value: string, { format, required }: ParamSpec, where: string): void {
  if (value === "" && required === true) throw new Error(`${where} is empty`);
  if (value === "") return;
  switch (format) {
    case "url":
      if (!URL.canParse(value) || new URL(value).hostname === "")
        throw wrong(where, "a URL, e.g. http://127.0.0.1:8080/path", withoutSecrets(value));
      return;
    case "topic":
      if (!validTopicFilter(value.replaceAll(/\$\{[^{}]*\}/g, "x"))) throw wrong(where, "a topic", value);
      compileRowTemplate(value);
      return;
    case "resource_type":
      if (!/^[\w:-]+$/.test(value)) throw wrong(where, "a name of letters, digits, _ : and -", value);
      return;
    case "template":
    case "sql":
      try {
        compileRowTemplate(value);
      } catch (err) {
        throw new Error(`${where}: ${(err as Error).message}`);
      }
      return;
    default:
  }
}

/** A word that may be anything, for a message. */
export function wordOf(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "undefined");
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}

function wrong(where: string, expected: string, got: unknown): Error {
  const text = JSON.stringify(got) ?? "nothing";
  return new Error(`${where} must be ${expected}, not ${text.length > 64 ? `${text.slice(0, 64)}…` : text}`);
}

/** Placeholders and nothing else: what a row has there is no secret of whoever wrote them. */
const PLACEHOLDERS = /^(?:\s*\$\{[^{}]*\}\s*)+$/;

/**
 * What may be seen of a value; `row` undefined = nobody says what it is, as of a header: then its name does. That a text is a secret whose
 * name does not say so, or that there is one in SQL or a body, cannot be known.
 */
function shownValue(value: unknown, row: ParamSpec | undefined, name: string): unknown {
  const isSecret = row === undefined ? namesSecret(name) && !(typeof value === "string" && PLACEHOLDERS.test(value)) : row.secret === true;
  if (isSecret) return value === "" || value === undefined || value === null ? value : MASK;
  if (typeof value === "string") return shownText(row)(value);
  if (Array.isArray(value)) return value.map((v) => shownValue(v, row?.items, name));
  if (typeof value === "object" && value !== null) return shownFields(value as Fields, row?.schema ?? {});
  return value;
}

const shownText = (row: ParamSpec | undefined): ((text: string) => string) => row?.shown ?? withoutSecrets;

function shownFields(fields: Fields, spec: ParamsSpec): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) define(out, name, shownValue(value, specOf(spec, name), name));
  return out;
}

const specOf = (spec: ParamsSpec, name: string): ParamSpec | undefined => (Object.hasOwn(spec, name) ? spec[name] : undefined);

/**
 * Parameters without secrets. `spec` null: the kind is not there, so whatever `secrets` (names that its spec had when they were saved) or a
 * name itself says is one.
 */
export function shownParams(params: Fields, spec: ParamsSpec | null, secrets: readonly string[] = []): Record<string, unknown> {
  if (spec !== null) return shownFields(params, spec);
  const out = shownFields(params, {});
  for (const name of secrets) if (Object.hasOwn(out, name) && out[name] !== "") out[name] = MASK;
  return out;
}

/** Names of the parameters that are, or have in them, a secret: kept with them for when the kind is not there. */
export function secretNames(spec: ParamsSpec): string[] {
  const has = (row: ParamSpec): boolean =>
    row.secret === true ||
    row.shown !== undefined ||
    (row.items !== undefined && has(row.items)) ||
    (row.schema !== undefined && Object.values(row.schema).some(has));
  return Object.keys(spec).filter((name) => has(spec[name] as ParamSpec));
}

/** Where something is sent to: a secret that nobody has typed again goes to no other server than it was saved for. */
const ADDRESS = /server|host|url|uri|port|address|broker|endpoint|gateway|bootstrap/i;

/**
 * What is given, with saved secrets in the place of masks.
 * @throws Error: there is a mask and nothing is saved, or it would go to another server
 */
export function unmasked(given: Fields, saved: Fields | null, spec: ParamsSpec): Record<string, unknown> {
  const masks = maskedFields(given, spec);
  if (masks.length === 0) return { ...given };
  if (saved === null) throw new Error(`${masks.join(", ")}: ${MASK} stands for a secret that is saved, and none is: type it`);
  const shown = shownParams(saved, spec);
  for (const name of Object.keys(spec)) {
    const row = spec[name] as ParamSpec;
    const moved = ADDRESS.test(name) || row.format === "url";
    if (moved && row.secret !== true && !sameJson(given[name] ?? row.default, shown[name] ?? row.default))
      throw new Error(`${name} has changed: type ${masks.join(", ")} again`);
  }
  return restoredFields(given, saved, shown, spec);
}

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Names of parameters with a mask in them. */
export function maskedFields(given: Fields, spec: ParamsSpec): string[] {
  const has = (value: unknown, name: string): boolean => {
    if (typeof value === "string") return value === MASK ? isSecretText(spec, name) : hasMask(value, shownText(specOf(spec, name)));
    if (typeof value !== "object" || value === null) return false;
    return Object.entries(value).some(([key, v]) => v === MASK || has(v, key));
  };
  return Object.keys(given).filter((name) => has(given[name], name));
}

const isSecretText = (spec: ParamsSpec, name: string): boolean => specOf(spec, name)?.secret === true || specOf(spec, name) === undefined;

function restored(given: unknown, saved: unknown, shown: unknown, row: ParamSpec | undefined): unknown {
  if (typeof given === "string") {
    if (given === shown) return saved;
    if (given === MASK || hasMask(given, shownText(row))) throw new Error(MASK_ALONE);
    return given;
  }
  if (Array.isArray(given)) return given.map((v, i) => restored(v, part(saved, i), part(shown, i), row?.items));
  if (typeof given !== "object" || given === null) return given;
  return restoredFields(given as Fields, saved, shown, row?.schema ?? {});
}

function restoredFields(given: Fields, saved: unknown, shown: unknown, spec: ParamsSpec): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given))
    define(out, name, restored(value, part(saved, name), part(shown, name), specOf(spec, name)));
  return out;
}

function part(of: unknown, name: string | number): unknown {
  return typeof of === "object" && of !== null && Object.hasOwn(of, name) ? (of as Record<string | number, unknown>)[name] : undefined;
}
