/** Rules and resources on disk: a row each, JSON. What cannot be read is told and kept: somebody may mend it, or a later version read it. */
import type { KvStore, Log } from "../../core/ports.ts";
import { lineOf } from "../../lib/errors.ts";
import type { StoredResource } from "./resource_slot.ts";
import type { StoredRule } from "./rule.ts";
import type { StoredAction } from "./slots.ts";

const RULE = "rule/";
const RESOURCE = "resource/";

/** A row that is not what it should be. */
export interface BrokenRow {
  readonly id: string;
  readonly why: string;
}

export class RuleStore {
  readonly rules: StoredRule[] = [];
  readonly resources: StoredResource[] = [];
  readonly broken: { rules: BrokenRow[]; resources: BrokenRow[] } = { rules: [], resources: [] };

  constructor(
    private readonly kv: KvStore,
    log: Log,
  ) {
    for (const [key, text] of kv.entries()) {
      const isRule = key.startsWith(RULE);
      if (!isRule && !key.startsWith(RESOURCE)) continue;
      const id = key.slice((isRule ? RULE : RESOURCE).length);
      try {
        const row = JSON.parse(text) as unknown;
        if (isRule) this.rules.push(ruleOf(row, id));
        else this.resources.push(resourceOf(row, id));
      } catch (err) {
        const why = `the stored row cannot be read: ${lineOf(err)}`;
        (isRule ? this.broken.rules : this.broken.resources).push({ id, why });
        log.error(isRule ? "a stored rule cannot be read" : "a stored resource cannot be read", { id, error: lineOf(err) });
      }
    }
    this.rules.sort((a, b) => a.created - b.created || a.serial - b.serial || (a.id < b.id ? -1 : 1));
  }

  putRule(row: StoredRule): void {
    this.kv.set(RULE + row.id, JSON.stringify(row));
  }
  deleteRule(id: string): void {
    this.kv.delete(RULE + id);
  }
  putResource(row: StoredResource): void {
    this.kv.set(RESOURCE + row.id, JSON.stringify(row));
  }
  deleteResource(id: string): void {
    this.kv.delete(RESOURCE + id);
  }
}

type Fields = Record<string, unknown>;

function fieldsOf(row: unknown, what: string): Fields {
  if (typeof row !== "object" || row === null || Array.isArray(row)) throw new Error(`${what} is no object`);
  return row as Fields;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new Error(`${name} is no text`);
  return value;
}

const names = (value: unknown): string[] => (Array.isArray(value) ? value.filter((v) => typeof v === "string") : []);

function ruleOf(row: unknown, id: string): StoredRule {
  const r = fieldsOf(row, "it");
  if (!Array.isArray(r.actions)) throw new Error("actions is no array");
  return {
    id,
    name: text(r, "name"),
    for: r.for === null || r.for === undefined ? null : text(r, "for"),
    rawsql: text(r, "rawsql"),
    actions: r.actions.map(actionOf),
    enabled: r.enabled !== false,
    description: typeof r.description === "string" ? r.description : "",
    created: typeof r.created === "number" ? r.created : 0,
    serial: typeof r.serial === "number" ? r.serial : 0,
  };
}

function actionOf(row: unknown): StoredAction {
  const a = fieldsOf(row, "an action");
  return { id: text(a, "id"), name: text(a, "name"), params: fieldsOf(a.params, "params"), secrets: names(a.secrets) };
}

function resourceOf(row: unknown, id: string): StoredResource {
  const r = fieldsOf(row, "it");
  return {
    id,
    name: text(r, "name"),
    type: text(r, "type"),
    config: fieldsOf(r.config, "config"),
    description: typeof r.description === "string" ? r.description : "",
    secrets: names(r.secrets),
  };
}
