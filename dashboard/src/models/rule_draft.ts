/** A rule as it stands in the editor: what differs from the saved one, and what it is sent as. */
import type { RuleRequest, RuleRow } from "../api/client.ts";
import { defaultsOf, type ParamValues, sentParams } from "../lib/params.ts";
import type { RuleCatalog } from "./rule_catalog.ts";

export interface DraftAction {
  /** Of the form alone: the id, where there is one. */
  key: string;
  /** Of the saved action; undefined = it is new. */
  id?: string;
  name: string;
  params: ParamValues;
}

export interface RuleDraft {
  name: string;
  description: string;
  sql: string;
  actions: readonly DraftAction[];
}

/** Actions that were added while the tab is open. */
let added = 0;

export function draftOf({ name, description, rawsql, actions }: RuleRow): RuleDraft {
  return { name, description, sql: rawsql, actions: actions.map((a) => ({ key: a.id, id: a.id, name: a.name, params: { ...a.params } })) };
}

/** An action of that kind with what its parameters are when nobody says otherwise. */
export function newAction(name: string, catalog: Pick<RuleCatalog, "action">): DraftAction {
  return { key: `new ${++added}`, name, params: defaultsOf(catalog.action(name)?.params ?? {}) };
}

export function sentActions(actions: readonly DraftAction[], catalog: Pick<RuleCatalog, "action">): RuleRequest["actions"] {
  return actions.map(({ id, name, params }) => ({
    ...(id === undefined ? {} : { id }),
    name,
    params: sentParams(params, catalog.action(name)?.params ?? {}),
  }));
}

const plain = ({ name, description, sql, actions }: RuleDraft): string =>
  JSON.stringify([name, description, sql, actions.map((a) => [a.id, a.name, a.params])]);

export const sameDraft = (a: RuleDraft, b: RuleDraft): boolean => plain(a) === plain(b);
