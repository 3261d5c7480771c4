/**
 * Small faults that a program could have: each mutant is one change of one place in a file, in the syntax of the language, so that
 * comments, types, imports and texts are left alone.
 */
import { parseSync } from "vite";

export interface Mutant {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Half open range in the source, and what stands there instead. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** In words, `from -> to`. */
  readonly change: string;
}

interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof (value as Node | null)?.type === "string" && typeof (value as Node).start === "number";

/** One operator for another. Equality is turned round, an order is moved by one, the rest becomes its counterpart. */
const OPERATORS: Readonly<Record<string, string>> = {
  ">": ">=",
  ">=": ">",
  "<": "<=",
  "<=": "<",
  "===": "!==",
  "!==": "===",
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "&": "|",
  "|": "&",
  "<<": ">>",
  ">>": "<<",
  ">>>": "<<",
  "&&": "||",
  "||": "&&",
  "??": "&&",
  "+=": "-=",
  "-=": "+=",
  "|=": "&=",
  "&=": "|=",
  "++": "--",
  "--": "++",
};

/** Below these nothing is executed. */
const TYPES_ONLY = new Set([
  "typeAnnotation",
  "typeParameters",
  "typeArguments",
  "returnType",
  "superTypeArguments",
  "implements",
  "accessibility",
]);
const DECLARATIONS = new Set([
  "ImportDeclaration",
  "ExportAllDeclaration",
  "TSInterfaceDeclaration",
  "TSTypeAliasDeclaration",
  "TSDeclareFunction",
]);

/** What is written to the log is not judged. */
const LOGGING = /^(?:#?\w+\.)*#?(?:log|logger)\??\.(?:debug|info|warn|error)\(/;

const isText = (node: unknown): boolean =>
  isNode(node) &&
  ((node.type === "Literal" && typeof node.value === "string") ||
    node.type === "TemplateLiteral" ||
    (node.type === "BinaryExpression" && node.operator === "+" && (isText(node.left) || isText(node.right))));

const isFunction = (node: Node): boolean => /^(?:Arrow)?Function(?:Expression|Declaration)$/.test(node.type);

export function mutantsOf(file: string, source: string): Mutant[] {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const lineStarts = [0, ...[...source.matchAll(/\n/g)].map((m) => m.index + 1)];
  const lineOf = (at: number): number => lineStarts.findLastIndex((start) => start <= at) + 1;
  const found: Mutant[] = [];
  const add = (start: number, end: number, text: string, change?: string): void => {
    const short = (code: string): string => code.replace(/\s+/g, " ").slice(0, 60);
    found.push({ file, line: lineOf(start), start, end, text, change: change ?? `${short(source.slice(start, end))} -> ${short(text)}` });
  };
  const code = (node: Node): string => source.slice(node.start, node.end);

  /** The operator that stands between two operands. */
  const operator = (left: Node, right: Node, name: string): void => {
    const to = OPERATORS[name];
    if (to === undefined) return;
    const at = source.indexOf(name, left.end);
    if (at >= 0 && at < right.start)
      add(at, at + name.length, to, `${code(left).slice(-30)} ${name} ${code(right).slice(0, 30)}: ${name} -> ${to}`.replace(/\s+/g, " "));
  };
  const negate = (test: Node): void => {
    // A comparison alone is turned round by its operator already.
    if (test.type === "BinaryExpression" && (test.operator === "===" || test.operator === "!==")) return;
    if (test.type === "Literal") return;
    add(test.start, test.end, `!(${code(test)})`);
  };

  const rules: Record<string, (node: Node) => void> = {
    BinaryExpression(node) {
      if (node.operator === "+" && isText(node)) return;
      operator(node.left as Node, node.right as Node, node.operator as string);
    },
    LogicalExpression: (node) => operator(node.left as Node, node.right as Node, node.operator as string),
    AssignmentExpression(node) {
      if (node.operator === "+=" && isText(node.right)) return;
      operator(node.left as Node, node.right as Node, node.operator as string);
    },
    UpdateExpression(node) {
      const to = OPERATORS[node.operator as string] as string;
      const argument = code(node.argument as Node);
      add(node.start, node.end, node.prefix ? to + argument : argument + to);
    },
    ConditionalExpression: (node) => negate(node.test as Node),
    IfStatement: (node) => negate(node.test as Node),
    WhileStatement: (node) => negate(node.test as Node),
    Literal(node) {
      if (typeof node.value === "boolean") add(node.start, node.end, String(!node.value));
      else if (typeof node.value === "number") {
        add(node.start, node.end, `(${code(node)} + 1)`);
        if (node.value !== 0) add(node.start, node.end, `(${code(node)} - 1)`);
      }
    },
    ExpressionStatement(node) {
      const { type } = node.expression as Node;
      const counts =
        type === "CallExpression" || type === "AssignmentExpression" || type === "AwaitExpression" || type === "ChainExpression";
      // A constructor must call the one above it; and how far the runtime compiles a function cannot be seen.
      if (counts && !/^(?:super|seldom|seldomOf)\(/.test(code(node)))
        add(node.start, node.end, ";", `${code(node).replace(/\s+/g, " ").slice(0, 60)} removed`);
    },
    ReturnStatement(node) {
      const value = node.argument as Node | null;
      if (value === null || value.type === "Literal" || (value.type === "Identifier" && value.name === "undefined")) return;
      if (!isText(value)) add(value.start, value.end, "null");
    },
  };
  const early = (node: Node): void => {
    const body = node.body as Node;
    if (body.type !== "BlockStatement") return;
    const [first] = body.body as Node[];
    if (first === undefined || first.type === "ReturnStatement" || code(first).startsWith("super(")) return;
    // Of a body with one statement the removal says the same.
    if ((body.body as Node[]).length > 1) add(body.start + 1, body.start + 1, " return;", "return at once");
  };

  const visit = (node: Node): void => {
    if (DECLARATIONS.has(node.type) || node.declare === true) return;
    if (node.type === "ExpressionStatement" && LOGGING.test(code(node))) return;
    rules[node.type]?.(node);
    if (isFunction(node) && isNode(node.body)) early(node);
    for (const [key, value] of Object.entries(node)) {
      if (TYPES_ONLY.has(key)) continue;
      // A name, not a value: `{ 1: x }` and `["x"]` stay what they are.
      if (key === "key" && node.computed !== true) continue;
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child);
    }
  };
  visit(program as unknown as Node);
  return found;
}

export const apply = (source: string, m: Mutant): string => source.slice(0, m.start) + m.text + source.slice(m.end);
