/** Parameters of actions and resources as forms: which come first, what is sent, and which of them an error speaks of. */
import type { ActionKindRow, ResourceTypeRow } from "../api/client.ts";

export type Specs = ActionKindRow["params"];
export type Spec = Specs[string];
export type ParamValues = Record<string, unknown>;

/** Stands for a secret that is saved. */
export const SECRET_MASK = "******";

/** The parameter that names an action's resource. EMQ X 3.1. */
export const RESOURCE = "$resource";

/** What a form begins with. */
export function defaultsOf(specs: Specs): ParamValues {
  const out: ParamValues = {};
  for (const [name, spec] of Object.entries(specs)) if (spec.default !== undefined && name !== RESOURCE) out[name] = spec.default;
  return out;
}

const USUAL = /^(?:url|servers?|host|port|database|user(?:name)?|password|method|topic|target_topic|body|sql|bucket|org|token|path|type)$/;

/** Asked for at once; the others have a default that does for most. */
export const isMain = (name: string, spec: Spec): boolean => spec.required === true || spec.secret === true || USUAL.test(name);

/** What is not typed is left out, so that the default holds. */
export function sentParams(values: ParamValues, specs: Specs): ParamValues {
  const out: ParamValues = {};
  for (const [name, value] of Object.entries(values)) {
    const spec = specs[name];
    const isEmpty = value === undefined || value === null || value === "";
    if (isEmpty && !(spec?.type === "string" && spec.default !== undefined && spec.default !== "")) continue;
    out[name] = value;
  }
  return out;
}

/** Names of what must be there and is not. */
export function missingParams(values: ParamValues, specs: Specs): string[] {
  return Object.entries(specs)
    .filter(([name, spec]) => spec.required === true && spec.default === undefined && (values[name] === undefined || values[name] === ""))
    .map(([name]) => name);
}

/** `Bad Arguments: server = x: expected …` → what is wrong with `server`. null = it is said of no field. */
export function faultOf(message: string, specs: Specs): { field: string; text: string } | null {
  const text = message.replace(/^Bad Arguments: /, "").replace(/^(?:actions\[\d+\]|[\w:]+_action|data_to_\w+): /, "");
  const names = Object.keys(specs).sort((a, b) => b.length - a.length);
  const field = names.find((name) => text.startsWith(name) && !/^[\w$]/.test(text.slice(name.length)));
  return field === undefined ? null : { field, text };
}

/** The action in an error of a whole rule: `Bad Arguments: actions[2]: …` → 1. */
export function actionOf(message: string): number | null {
  const found = /actions\[(\d+)\]/.exec(message);
  return found === null ? null : Number(found[1]) - 1;
}

/** Types of resources that will do for an action; [] = it needs none. */
export function typesOf(kind: Pick<ActionKindRow, "params" | "types">): readonly string[] {
  if (!(RESOURCE in kind.params)) return [];
  return kind.types;
}

/** The resource that there always is belongs to nobody. */
export const isForPeople = (type: Pick<ResourceTypeRow, "name">): boolean => type.name !== "built_in";
