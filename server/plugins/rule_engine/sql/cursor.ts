/** Where a parser is in the words of a text, and how it says what it expected there. */
import { nearest } from "../../../lib/nearest.ts";
import { SqlError } from "./errors.ts";
import { type Token, tokenize } from "./tokens.ts";

const oneAtATime = (what: string): string => `${what} is not part of a rule's SQL: it looks at one event at a time`;

/** What SQL elsewhere has behind an expression, and why there is no use for it here. */
export const REFUSED: ReadonlyMap<string, string> = new Map([
  ["group", oneAtATime("GROUP BY")],
  ["order", oneAtATime("ORDER BY")],
  ["having", oneAtATime("HAVING")],
  ["limit", oneAtATime("LIMIT")],
  ["offset", oneAtATime("OFFSET")],
  ...["join", "inner", "left", "right", "outer", "full", "cross", "natural"].map((word) => [word, oneAtATime("JOIN")] as const),
  ["union", "UNION is not part of a rule's SQL: several filters may stand in FROM, with commas"],
  ["between", "BETWEEN is not part of a rule's SQL: write x >= 1 and x <= 2"],
]);
export const DISTINCT = oneAtATime("DISTINCT");

export class Cursor {
  private next = 0;
  protected token: Token;
  private readonly tokens: readonly Token[];

  /** @throws SqlError for what no word begins with */
  constructor(protected readonly sql: string) {
    this.tokens = tokenize(sql);
    this.token = this.tokens[0] as Token;
  }

  protected peek(): Token {
    return this.tokens[this.next + 1] ?? this.token;
  }

  protected take(): Token {
    const token = this.token;
    if (token.kind !== "eof") this.token = this.tokens[++this.next] as Token;
    return token;
  }

  protected accept(kind: Token["kind"]): boolean {
    if (this.token.kind !== kind) return false;
    this.take();
    return true;
  }

  protected expect(kind: Token["kind"], or?: string): Token {
    if (this.token.kind !== kind) this.unexpected(or === undefined ? written(kind) : `${written(or)} or ${written(kind)}`, [kind]);
    return this.take();
  }

  protected unexpected(expected: string, words: readonly string[] = []): never {
    const { kind, text, at, end } = this.token;
    const word = text.toLowerCase();
    const refused = kind === "name" ? REFUSED.get(word) : undefined;
    if (refused !== undefined) this.fail(refused, this.token);
    const known = words.filter((w) => /^\w/.test(w));
    const meant = kind === "name" ? nearest(word, known) : null;
    const found = kind === "eof" ? "the end" : JSON.stringify(this.sql.slice(at, Math.min(end, at + 64)));
    throw new SqlError(`expected ${expected}, found ${found}`, this.sql, at, end - at, meant === null ? null : meant.toUpperCase());
  }

  protected fail(reason: string, { at, end }: Token): never {
    throw new SqlError(reason, this.sql, at, end - at);
  }
}

/** As an error names it. */
export const written = (kind: string): string => (/^\w/.test(kind) ? kind.toUpperCase() : `"${kind}"`);
