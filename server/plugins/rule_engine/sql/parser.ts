/** From a rule's SQL to a tree: clauses, fields and their names. */
import type { Alias, Expr, Field, Source, Statement } from "./ast.ts";
import { DISTINCT, REFUSED, written } from "./cursor.ts";
import { SqlError } from "./errors.ts";
import { Expressions } from "./expressions.ts";

export interface Limits {
  /** Longest SQL, in UTF-16 units. Default 65,536. */
  readonly length?: number;
  /** Deepest nesting of an expression. Default 64. */
  readonly depth?: number;
  /** Most elements that FOREACH goes through. Default 10,000. */
  readonly rows?: number;
}

const LENGTH = 65_536;
const DEPTH = 64;
/** Most fields of a rule: they look at one another. */
const FIELDS = 512;
const CLAUSES: ReadonlySet<string> = new Set(["from", "where", "do", "incase"]);
const VALUE_STARTS: ReadonlySet<string> = new Set(["name", "quoted", "text", "number", "case", "not", "*"]);

/** @throws SqlError */
export function parse(sql: string, limits: Limits = {}): Statement {
  const most = limits.length ?? LENGTH;
  if (sql.length > most) throw new SqlError(`a rule's SQL has at most ${most} characters, this one has ${sql.length}`, sql, 0, 0);
  return new Parser(sql, limits.depth ?? DEPTH).statement();
}

class Parser extends Expressions {
  statement(): Statement {
    if (this.accept("select")) {
      const fields = this.fields();
      const { from, where } = this.tail(["from", "where"]);
      return { kind: "select", fields, from, where };
    }
    if (!this.accept("foreach")) this.unexpected("SELECT or FOREACH", ["select", "foreach"]);
    const each = this.fields();
    const array = each.at(-1);
    if (array === undefined || array.expr === null) this.fail("FOREACH expects an array, such as payload.sensors", this.token);
    const fields = this.accept("do") ? this.fields() : null;
    const incase = this.accept("incase") ? this.expression() : null;
    const { from, where } = this.tail(fields === null ? ["do", "incase", "from", "where"] : ["incase", "from", "where"]);
    return { kind: "foreach", each, fields, incase, from, where };
  }

  /** `words`: clauses that may begin where the last expression ended. */
  private tail(words: string[]): { from: Source[]; where: Expr | null } {
    let may = words;
    const from: Source[] = [];
    if (this.accept("from")) {
      do from.push(this.filter());
      while (this.accept(","));
      may = [",", "where"];
    }
    const where = this.accept("where") ? this.expression() : null;
    if (this.token.kind !== "eof")
      this.unexpected(`${where === null ? listed(may) : "an operator"} or the end`, where === null ? may : ["and", "or"]);
    return { from, where };
  }

  /** In quotes of any kind, or a plain name with dots: `message.publish`. */
  private filter(): Source {
    const { kind, at, text, end: behind } = this.token;
    if (kind === "text" || kind === "quoted") {
      if (text === "") this.fail("expected a topic filter or an event", this.token);
      this.take();
      return { text, at, length: behind - at };
    }
    if (kind === "(") this.fail("a subquery is not part of a rule's SQL", this.token);
    if (kind !== "name") this.unexpected('a topic filter or an event, such as "t/#"');
    let end = this.take().end;
    while (this.token.at === end && (this.token.kind === "." || this.token.kind === "name")) end = this.take().end;
    if (this.token.at === end && (this.token.kind === "/" || this.token.kind === "+"))
      this.fail('expected the topic filter in quotes, such as "t/#"', this.token);
    return { text: this.sql.slice(at, end), at, length: end - at };
  }

  private fields(): Field[] {
    const fields: Field[] = [];
    do {
      // `distinct a`, not a column of that name.
      const isDistinct = this.token.kind === "name" && this.token.text.toLowerCase() === "distinct";
      if (isDistinct && VALUE_STARTS.has(this.peek().kind)) this.fail(DISTINCT, this.token);
      if (this.accept("*")) fields.push({ expr: null, alias: null });
      else fields.push({ expr: this.expression(), alias: this.alias() });
      if (fields.length > FIELDS) this.fail(`a rule has ${FIELDS} fields at most`, this.token);
    } while (this.accept(","));
    return fields;
  }

  /** `AS a.b[1]`; 4.x takes it without AS as well. */
  private alias(): Alias | null {
    const hasAs = this.accept("as");
    const { kind, text, at, end } = this.token;
    if (!hasAs) {
      if (kind !== "name" && kind !== "quoted") return null;
      // A misspelt FROM would be taken for an alias otherwise.
      const behind = this.peek().kind;
      if (behind !== "," && behind !== "eof" && behind !== "." && behind !== "[" && !CLAUSES.has(behind))
        this.unexpected('"," or FROM', ["from", "as", "where", "do", "incase"]);
      if (REFUSED.has(text.toLowerCase())) this.fail(REFUSED.get(text.toLowerCase()) as string, this.token);
    }
    if (kind === "text" || kind === "quoted") {
      if (text === "") this.fail("expected a name", this.token);
      this.take();
    } else if (kind === "name") {
      this.take();
    } else if (hasAs && /^\w/.test(this.sql.slice(at, end))) {
      throw new SqlError(`${text} is a word of SQL, expected a name (put it in backquotes)`, this.sql, at, end - at);
    } else {
      this.unexpected("a name");
    }
    const steps: ({ key: string } | { index: number | "end" })[] = [];
    for (;;) {
      if (steps.length > this.deepest) this.fail(`a path has ${this.deepest} steps at most`, this.token);
      if (this.accept(".")) steps.push({ key: this.key() });
      else if (this.accept("[")) {
        steps.push({ index: this.aliasIndex() });
        this.expect("]");
      } else return { name: text, steps };
    }
  }

  private aliasIndex(): number | "end" {
    const isNegative = this.accept("-");
    const index = this.whole("an index, such as 1 or -1");
    return isNegative ? (index === 0 ? "end" : -index) : index;
  }

  private whole(what: string): number {
    const { kind, text } = this.token;
    if (kind !== "number" || !/^\d{1,9}$/.test(text)) this.unexpected(what);
    return Number(this.take().text);
  }
}

/** "A, B" for a sentence that goes on with "or". */
function listed(words: readonly string[]): string {
  return words.map(written).join(", ");
}
