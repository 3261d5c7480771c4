/**
 * Whoever compares a secret with `===` tells by the time it takes how much of it was right. Where plugins decide who gets in, what somebody typed and
 * what is stored of it are compared by `timingSafeEqual` alone.
 */
import { expect, test } from "bun:test";
import { parseSync } from "vite";
import { readTree } from "./modules.ts";

/** What of it is called in these files: typed, stored, and made of it to be compared. */
const SECRET = /password|secret|hash|digest|stored|signature|derived|hmac|^(?:text|right)$/i;
/** Methods and functions that compare, too. */
const COMPARING = /^(?:equals|deepEquals|isDeepStrictEqual|compare|localeCompare|startsWith|endsWith|indexOf)$/;

/** Comparisons that tell nobody anything: of names, or of what is both from the table. */
const KNOWN = [
  // The row now, and as it was.
  "server/plugins/_auth/accounts.ts: table.get(name)?.hash === row.hash",
  // A name as it is written, in two fields.
  "server/plugins/_auth/shown.ts: text === username",
  "server/plugins/_auth/shown.ts: text === clientId",
  // A row's column for the salt, and the salt that stands in its hash.
  "server/plugins/_auth/stored.ts: stored.slice(0, BCRYPT_SALT) !== salt",
  "server/plugins/_auth/stored_words.ts: stored.slice(0, BCRYPT_SALT) !== salt",
  // Names of digests, and of attributes.
  "server/plugins/_auth/stored_words.ts: name === digest",
  'server/plugins/auth_ldap/shown.ts: key.split(";", 1)[0] === password.toLowerCase()',
];

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "type" in value && "start" in value;
const below = (node: Node): Node[] => [node, ...Object.values(node).flat().filter(isNode).flatMap(below)];
const nameOf = (node: unknown): string => (isNode(node) && node.type === "Identifier" ? String(node.name) : "");

/** Nobody finds out a secret by it: `undefined`, a text or number of ours, a constant, a length. */
function isOpen(side: Node): boolean {
  if (side.type === "Literal" || side.type === "UnaryExpression" || side.type === "TemplateLiteral") return true;
  if (side.type === "MemberExpression") return nameOf(side.property) === "length";
  return /^(?:undefined|[A-Z][A-Z\d_]+)$/.test(nameOf(side));
}

/** What it compares with what; [] = it compares nothing. */
function compared(node: Node): Node[] {
  if (node.type === "BinaryExpression" && /^[!=]==?$/.test(String(node.operator))) return [node.left, node.right].filter(isNode);
  if (node.type !== "CallExpression" || !isNode(node.callee)) return [];
  const { callee } = node as Node & { callee: Node };
  const name = nameOf(callee.type === "MemberExpression" ? callee.property : callee);
  const given = [node.arguments].flat().filter(isNode);
  if (!COMPARING.test(name)) return [];
  return callee.type === "MemberExpression" && isNode(callee.object) ? [callee.object, ...given] : given;
}

const isSecret = (sides: readonly Node[]): boolean => sides.flatMap(below).some((node) => SECRET.test(nameOf(node)));

test("secrets are compared in a time that does not tell where they differ", () => {
  const { files, text } = readTree(["server/plugins/{_auth,_sql,_mongo,_redis}/*.ts", "server/plugins/auth_*/*.ts"]);
  const found = files.flatMap((file) => {
    const source = text.get(file) ?? "";
    return below(parseSync(file, source).program as unknown as Node).flatMap((node) => {
      const sides = compared(node);
      if (sides.length === 0 || sides.some(isOpen) || !isSecret(sides)) return [];
      return [`${file}: ${source.slice(node.start, node.end)}`];
    });
  });
  expect([...new Set(found)].toSorted()).toEqual(KNOWN.toSorted());
});
