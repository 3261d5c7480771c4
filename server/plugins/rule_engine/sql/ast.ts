/** A rule's SQL as a tree, and back as text. */
import { isKeyword } from "./tokens.ts";
import type { Value } from "./values.ts";

export type Compare = "=" | "<>" | "<" | "<=" | ">" | ">=";
export type Arithmetic = "+" | "-" | "*" | "/" | "div" | "mod";

/** A step into a value. Indices begin at 1, negative ones count from the end. */
export type Step =
  | { readonly kind: "key"; readonly name: string }
  | { readonly kind: "index"; readonly index: Expr }
  | { readonly kind: "slice"; readonly first: Expr; readonly last: Expr };

interface Placed {
  /** Where the word that makes it is, in UTF-16 units. */
  readonly at: number;
}

export type Expr =
  | (Placed & { readonly kind: "literal"; readonly value: null | boolean | number | bigint | string })
  /** A column, or a name that the statement gave; `steps` lead into it. */
  | (Placed & { readonly kind: "name"; readonly name: string; readonly steps: readonly Step[] })
  | (Placed & { readonly kind: "into"; readonly of: Expr; readonly steps: readonly Step[] })
  | (Placed & { readonly kind: "call"; readonly name: string; readonly args: readonly Expr[]; readonly length: number })
  /** Operators of the same rank, one behind the other: a long sum is no deep tree. */
  | (Placed & {
      readonly kind: "arithmetic";
      readonly first: Expr;
      readonly rest: readonly { readonly op: Arithmetic; readonly right: Expr }[];
    })
  | (Placed & { readonly kind: "logic"; readonly op: "and" | "or"; readonly parts: readonly Expr[] })
  | (Placed & { readonly kind: "not"; readonly of: Expr })
  | (Placed & { readonly kind: "negative"; readonly of: Expr })
  | (Placed & { readonly kind: "compare"; readonly op: Compare; readonly left: Expr; readonly right: Expr })
  /** `=~`: the topic on the left, the filter on the right. */
  | (Placed & { readonly kind: "topic"; readonly left: Expr; readonly right: Expr })
  | (Placed & { readonly kind: "like"; readonly left: Expr; readonly right: Expr })
  | (Placed & { readonly kind: "in"; readonly of: Expr; readonly list: readonly Expr[] })
  | (Placed & { readonly kind: "isNull"; readonly of: Expr })
  /** `of` null: CASE WHEN condition THEN …; else CASE of WHEN value THEN … */
  | (Placed & {
      readonly kind: "case";
      readonly of: Expr | null;
      readonly whens: readonly { readonly when: Expr; readonly result: Expr }[];
      readonly otherwise: Expr | null;
    })
  | (Placed & { readonly kind: "array"; readonly items: readonly Expr[] })
  | (Placed & { readonly kind: "range"; readonly first: number; readonly last: number });

/** `AS a.b[1]`. Index 0 = before the first element, "end" (written -0) = behind the last one. */
export interface Alias {
  readonly name: string;
  readonly steps: readonly ({ readonly key: string } | { readonly index: number | "end" })[];
}

export interface Field {
  /** null = `*`. */
  readonly expr: Expr | null;
  /** null = it is called as it is written. */
  readonly alias: Alias | null;
}

/** One of FROM, without its quotes. */
export interface Source extends Placed {
  readonly text: string;
  /** With its quotes, in UTF-16 units. */
  readonly length: number;
}

export type Statement =
  | { readonly kind: "select"; readonly fields: readonly Field[]; readonly from: readonly Source[]; readonly where: Expr | null }
  | {
      readonly kind: "foreach";
      /** The last one is the array; those before it give names to what it is made of. */
      readonly each: readonly Field[];
      /** null = every column, and the element. */
      readonly fields: readonly Field[] | null;
      readonly incase: Expr | null;
      readonly from: readonly Source[];
      readonly where: Expr | null;
    };

/** How tightly an expression holds together; what is looser than its place needs parentheses. */
const OR = 1;
const AND = 2;
const NOT = 3;
const COMPARE = 4;
const SUM = 5;
const PRODUCT = 6;
const SIGN = 7;
const ATOM = 8;

function rank(e: Expr): number {
  switch (e.kind) {
    case "logic":
      return e.op === "or" ? OR : AND;
    case "not":
      return NOT;
    case "compare":
    case "topic":
    case "like":
    case "in":
    case "isNull":
      return COMPARE;
    case "arithmetic":
      return e.rest.every(({ op }) => op === "+" || op === "-") ? SUM : PRODUCT;
    case "negative":
      return SIGN;
    case "literal":
      return (typeof e.value === "number" || typeof e.value === "bigint") && e.value < 0 ? SIGN : ATOM;
    default:
      return ATOM;
  }
}

const within = (e: Expr, least: number): string => (rank(e) < least ? `(${printExpr(e)})` : printExpr(e));
const list = (items: readonly Expr[]): string => items.map(printExpr).join(", ");

/** One line, with no more parentheses than needed. It is also the name of a field that has no other. */
export function printExpr(e: Expr): string {
  switch (e.kind) {
    case "literal":
      return printValue(e.value);
    case "name":
      return printName(e.name) + printSteps(e.steps);
    case "into":
      // Else its steps would be some more of theirs.
      return (e.of.kind === "name" || e.of.kind === "into" ? `(${printExpr(e.of)})` : within(e.of, ATOM)) + printSteps(e.steps);
    case "call":
      return `${e.name}(${list(e.args)})`;
    case "arithmetic": {
      const own = rank(e);
      return within(e.first, own + 1) + e.rest.map(({ op, right }) => ` ${op} ${within(right, own + 1)}`).join("");
    }
    case "logic":
      return e.parts.map((p) => within(p, rank(e) + 1)).join(` ${e.op} `);
    case "not":
      return `not ${within(e.of, NOT)}`;
    case "negative":
      // Two of them would be a comment.
      return `-${e.of.kind === "negative" || rank(e.of) < SIGN || e.of.kind === "literal" ? `(${printExpr(e.of)})` : printExpr(e.of)}`;
    case "compare":
      return `${within(e.left, SUM)} ${e.op} ${within(e.right, SUM)}`;
    case "topic":
      return `${within(e.left, SUM)} =~ ${within(e.right, SUM)}`;
    case "like":
      return `${within(e.left, SUM)} like ${within(e.right, SUM)}`;
    case "in":
      return `${within(e.of, SUM)} in (${list(e.list)})`;
    case "isNull":
      return `${within(e.of, SUM)} is null`;
    case "case": {
      const whens = e.whens.map(({ when, result }) => ` when ${printExpr(when)} then ${printExpr(result)}`).join("");
      return `case${e.of === null ? "" : ` ${printExpr(e.of)}`}${whens}${e.otherwise === null ? "" : ` else ${printExpr(e.otherwise)}`} end`;
    }
    case "array":
      return `[${list(e.items)}]`;
    case "range":
      return `[${e.first}..${e.last}]`;
  }
}

function printSteps(steps: readonly Step[]): string {
  return steps
    .map((s) => {
      if (s.kind === "key") return `.${printName(s.name)}`;
      return s.kind === "index" ? `[${printExpr(s.index)}]` : `[${printExpr(s.first)}..${printExpr(s.last)}]`;
    })
    .join("");
}

function printValue(value: Value): string {
  return typeof value === "string" ? quote(value, "'") : String(value);
}

const PLAIN = /^[A-Za-z_$][\w$@]*$/;

/** In backquotes where it needs them. */
export function printName(name: string): string {
  return PLAIN.test(name) && !isKeyword(name) ? name : quote(name, "`");
}

export const quote = (text: string, mark: string): string => `${mark}${text.replaceAll(mark, mark + mark)}${mark}`;
