/** Events to try the rule engine's SQL with, and its trees as text. */
import { type Alias, type Field, printExpr, printName, quote, type Statement } from "../../server/plugins/rule_engine/sql/ast.ts";
import { type Columns, type Row, RuleError, type Value } from "../../server/plugins/rule_engine/sql/index.ts";
import { parseJson } from "../../server/plugins/rule_engine/sql/json.ts";

/** The one that the examples of functions speak of. */
export const MESSAGE: Row = {
  id: "0005A1B2",
  client_id: "c1",
  clientid: "c1",
  username: "joe",
  peername: "10.0.0.1:5000",
  topic: "sensor/7/temp",
  qos: 1,
  payload: '{"t":21.5,"a":{"b":2}}',
  flags: { retain: false, dup: false },
  headers: { username: "joe" },
  timestamp: 1_700_000_000_000,
  event: "message.publish",
};

export function eventOf(columns: Row): Columns {
  let json: Value;
  let isRead = false;
  return {
    get: (name) => (Object.hasOwn(columns, name) ? columns[name] : undefined),
    names: () => Object.keys(columns),
    json() {
      if (isRead) return json;
      const { payload } = columns;
      if (payload instanceof Uint8Array) throw new RuleError("payload is no JSON");
      try {
        json = typeof payload === "string" ? parseJson(payload) : payload;
      } catch {
        throw new RuleError("payload is no JSON");
      }
      isRead = true;
      return json;
    },
    now: 1_700_000_000_000,
  };
}

/** A message with this payload; what is no text is made JSON. */
export function message(payload: Value, columns: Row = {}): Columns {
  const isRaw = typeof payload === "string" || payload instanceof Uint8Array;
  return eventOf({ ...MESSAGE, payload: isRaw ? payload : JSON.stringify(payload), ...columns });
}

/** The same statement in one line. What it gives is read as the same tree. */
export function printStatement(s: Statement): string {
  const tail = `${s.from.length === 0 ? "" : ` FROM ${s.from.map((f) => quote(f.text, '"')).join(", ")}`}${s.where === null ? "" : ` WHERE ${printExpr(s.where)}`}`;
  if (s.kind === "select") return `SELECT ${printFields(s.fields)}${tail}`;
  const fields = s.fields === null ? "" : ` DO ${printFields(s.fields)}`;
  return `FOREACH ${printFields(s.each)}${fields}${s.incase === null ? "" : ` INCASE ${printExpr(s.incase)}`}${tail}`;
}

const printFields = (fields: readonly Field[]): string => fields.map(printField).join(", ");

function printField({ expr, alias }: Field): string {
  if (expr === null) return "*";
  return alias === null ? printExpr(expr) : `${printExpr(expr)} AS ${printAlias(alias)}`;
}

function printAlias({ name, steps }: Alias): string {
  return printName(name) + steps.map((s) => ("key" in s ? `.${printName(s.key)}` : `[${s.index === "end" ? "-0" : s.index}]`)).join("");
}
