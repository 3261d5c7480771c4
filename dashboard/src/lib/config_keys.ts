/** Configuration keys as a form has them: what is sent for what was typed, names that stand for many, and what an answer says of which. */
import type { PluginConfigRow } from "../api/client.ts";

const MASK = "******";
/** From so many characters on a line is too short. */
const LONG = 34;
const INERT = "Without effect: ";
const TEXTS: ReadonlySet<string> = new Set(["text", "string", "secret"]);
/** What `password_hash` of somebody else's table may be; others can be typed. */
const HASHES = [
  "plain",
  "md5",
  "sha",
  "sha256",
  "sha512",
  "bcrypt",
  "salt,md5",
  "md5,salt",
  "salt,sha",
  "sha,salt",
  "salt,sha256",
  "sha256,salt",
  "salt,sha512",
  "sha512,salt",
  "salt,bcrypt",
  "pbkdf2,sha256,1000,20",
];

/** `auth.http.header.$name` stands for many. */
export const isPattern = ({ key }: PluginConfigRow): boolean => key.includes("$");

export const isInert = ({ doc }: PluginConfigRow): boolean => doc.startsWith(INERT) || doc.includes(` ${INERT}`);

/** What takes a change of it back: null = the file has the word again. undefined = it is shown masked, and nobody knows what stood there. */
export const wayBack = ({ origin, value }: Pick<PluginConfigRow, "origin" | "value">): string | null | undefined =>
  origin !== "api" ? null : value.includes(MASK) ? undefined : value;

/** Queries and the like. Looked at of what is kept, not of what is typed: the field stays what it is meanwhile. */
export const isLong = (r: PluginConfigRow): boolean =>
  r.secret !== true && TEXTS.has(r.type) && Math.max(r.value.length, r.default.length) > LONG;

/** Choices beside which others can be typed. */
export const suggestions = (r: PluginConfigRow): readonly string[] =>
  r.enum === undefined && r.key.endsWith(".password_hash") ? HASHES : [];

/** An emptied number is the default that then stands in the field; an emptied text is empty. */
export const sent = (r: PluginConfigRow, text: string): string => (text === "" && !TEXTS.has(r.type) ? r.default : text);

/** What stands before and behind the `$name`. */
function halves(pattern: string): [string, string] {
  const at = pattern.indexOf("$");
  const end = pattern.indexOf(".", at);
  return end < 0 ? [pattern.slice(0, at), ""] : [pattern.slice(0, at), pattern.slice(end)];
}

export const prefixOf = (pattern: string): string => halves(pattern)[0];

/** null = no name that such a key may have. */
export function keyOf(pattern: string, name: string): string | null {
  const [before, behind] = halves(pattern);
  const digits = /\$n(?:\.|$)/.test(pattern);
  return (digits ? /^\d+$/ : /^[^.\s=#$]+$/).test(name) ? `${before}${name}${behind}` : null;
}

export function belongsTo(pattern: string, key: string): boolean {
  const [before, behind] = halves(pattern);
  const name = key.slice(before.length, key.length - behind.length);
  return key.startsWith(before) && key.endsWith(behind) && name !== "" && !name.includes(".") && !name.startsWith("$");
}

/** An answer that refuses a change: key → what is wrong with its value. */
export function wrongKeys(message: string, keys: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const part of message.split("; ")) {
    const first = keys
      .map((key) => ({ key, at: wordAt(part, key) }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at)[0];
    if (first === undefined || first.key in found) continue;
    const rest = part.slice(first.at + first.key.length);
    found[first.key] = /^(?: = .*?)?: (.+)$/s.exec(rest)?.[1] ?? part;
  }
  return found;
}

/** Not within a longer key. */
function wordAt(text: string, key: string): number {
  for (let at = text.indexOf(key); at >= 0; at = text.indexOf(key, at + 1))
    if (!/[\w.]$/.test(text.slice(0, at)) && !/^(?:\w|\.\w)/.test(text.slice(at + key.length))) return at;
  return -1;
}
