/** What becomes of a rule's actions when they are given: which of them are those that it has, and what is stored of each. */
import { type ActionKind, type ActionKinds, takesResource } from "../actions.ts";
import { checkParams, secretNames, unmasked } from "./params.ts";
import { badArguments, noAction, noResource, refusalOf } from "./refusal.ts";
import { resourceIn, type StoredAction } from "./slots.ts";

const ACTIONS_MAX = 32;
/** Of an id that comes from a file. */
const ACTION_ID = /^[\w:.-]{1,300}$/;

type Given = Readonly<Record<string, unknown>>;

/** Where a rule comes from that keeps its ids. */
export interface FromFile {
  readonly id: string;
  /** An action of another rule has that id: alarms and the log call actions by it. */
  isOthers(action: string): boolean;
}

export interface ActionPlanPorts {
  readonly kinds: ActionKinds;
  /** Types of the resources that there are, or will be, by id. */
  readonly resources: ReadonlyMap<string, string>;
  newId(prefix: string): string;
}

interface GivenAction {
  /** For messages: "actions[1]". */
  readonly where: string;
  readonly name: string;
  readonly params: Given;
  readonly id: unknown;
}

/** `was`: those that the rule has. `file`: it comes from one, with ids. @throws RuleRefusal */
export function planActions(
  given: unknown,
  was: readonly StoredAction[],
  ports: ActionPlanPorts,
  file: FromFile | undefined,
): StoredAction[] {
  if (!Array.isArray(given)) throw badArguments("actions must be an array of {name, params}");
  if (given.length > ACTIONS_MAX) throw badArguments(`a rule has at most ${ACTIONS_MAX} actions`);
  const actions = given.map(givenAction);
  const olds = sameOnes(actions, was, ports.kinds);
  // Whatever waits under the id of one that goes is of no other kind.
  const taken = new Set(was.map((old) => old.id));
  return actions.map((action, i) => {
    const old = olds[i] ?? null;
    // Of a copy its masks stand for the same secrets.
    const like = old ?? was.find((a) => a.id === action.id && a.name === action.name) ?? likeAt(was, i, action);
    return planned(action, old, like, taken, ports, file);
  });
}

function givenAction(given: unknown, i: number): GivenAction {
  const where = `actions[${i + 1}]`;
  if (typeof given !== "object" || given === null) throw badArguments(`${where} must be an object with name and params`);
  const { name, params = {}, id } = given as Given;
  if (typeof name !== "string" || name === "") throw badArguments(`${where}.name is missing`);
  if (typeof params !== "object" || params === null || Array.isArray(params)) throw badArguments(`${where}.params must be an object`);
  return { where, name, params: params as Given, id };
}

const likeAt = (was: readonly StoredAction[], i: number, { id, name }: GivenAction): StoredAction | null => {
  const at = was[i];
  return id === undefined && at?.name === name ? at : null;
};

/**
 * Of each the one that it is already: what waits for that is its own. By its id; without one (the form of 3.1 sends none) by what it does, else by
 * its place, unless it would send what waits to somebody else.
 */
function sameOnes(actions: readonly GivenAction[], was: readonly StoredAction[], kinds: ActionKinds): (StoredAction | undefined)[] {
  const free = new Set(was);
  const take = (old: StoredAction | undefined): StoredAction | undefined => {
    if (old !== undefined) free.delete(old);
    return old;
  };
  const found = actions.map(({ id, name }) => take([...free].find((a) => a.id === id && a.name === name)));
  const by = (is: (action: GivenAction, old: StoredAction, i: number) => boolean): void => {
    for (const [i, action] of actions.entries())
      if (action.id === undefined) found[i] ??= take([...free].find((old) => old.name === action.name && is(action, old, i)));
  };
  by((action, old) => sameParams(action, old, kinds));
  if (actions.length === was.length) by((action, old, i) => old === was[i] && resourceIn(action.params) === resourceIn(old.params));
  return found;
}

function sameParams({ name, params }: GivenAction, old: StoredAction, kinds: ActionKinds): boolean {
  if (params === old.params || sameJson(params, old.params)) return true;
  const spec = kinds.actions.get(name)?.params;
  if (spec === undefined) return false;
  try {
    return sameJson(checkParams(unmasked(params, old.params, spec), spec), old.params);
  } catch {
    // What is wrong with them is told where they are planned.
    return false;
  }
}

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function planned(
  { where, name, params, id }: GivenAction,
  old: StoredAction | null,
  like: StoredAction | null,
  taken: Set<string>,
  { kinds, resources, newId }: ActionPlanPorts,
  file: FromFile | undefined,
): StoredAction {
  const kind = kinds.actions.get(name);
  if (kind === undefined) {
    if (old !== null && (params === old.params || sameJson(params, old.params))) return old;
    throw noAction(name);
  }
  try {
    const whole = params === like?.params ? params : unmasked(params, like?.params ?? null, kind.params);
    const checked = checkParams(whole, kind.params);
    const keeps = file !== undefined && typeof id === "string" && ACTION_ID.test(id) && !taken.has(id) && !file.isOthers(id);
    const own = old?.id ?? (keeps ? id : newId(`${name}_`));
    taken.add(own);
    if (kind.type !== "built_in") checkResource(checked.$resource, kind, resources);
    return { id: own, name, params: checked, secrets: secretNames(kind.params) };
  } catch (err) {
    throw refusalOf(err, where);
  }
}

function checkResource(id: unknown, kind: ActionKind, resources: ReadonlyMap<string, string>): void {
  if (typeof id !== "string" || id === "") throw badArguments("$resource is missing: it names the resource that the action uses");
  const has = resources.get(id);
  if (has === undefined) throw noResource(id);
  if (!takesResource(kind, has)) throw badArguments(`resource ${id} is of type ${has}, the action needs one of type ${kind.type}`);
}
