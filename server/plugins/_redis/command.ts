/** Words of a Redis command as somebody writes it, and which of them are secrets. */
import { MASK, namesSecret } from "../../lib/mask.ts";

const WORDS = /"((?:[^"\\]|\\.)*)"|'([^']*)'|((?:\$\{[^{}]*\}|\S)+)/g;

/** In quotes with their blanks, elsewhere by blanks; a placeholder is in one word with what stands around it. */
export const commandWords = (text: string): string[] => [...text.matchAll(WORDS)].map(wordOf);

const wordOf = ([, double, single, bare]: RegExpMatchArray): string => double?.replace(/\\(.)/g, "$1") ?? single ?? bare ?? "";

/** Positions of words that are secrets: what logs in, or sets what others log in with. */
export function secretWords(words: readonly string[]): ReadonlySet<number> {
  const lower = words.map((word) => word.toLowerCase());
  const places = [...words.keys()];
  const [name = "", sub = ""] = lower;
  const behind = (word: string, by: number): number[] => places.filter((at) => at > by && lower[at - by] === word);
  switch (name) {
    // AUTH password, AUTH user password.
    case "auth":
      return new Set([words.length > 2 ? 2 : 1]);
    // HELLO 3 AUTH user password.
    case "hello":
      return new Set(behind("auth", 2));
    // MIGRATE … AUTH password, … AUTH2 user password.
    case "migrate":
      return new Set([...behind("auth", 1), ...behind("auth2", 2)]);
    // CONFIG SET name value name value …
    case "config":
      return new Set(sub === "set" ? places.filter((at) => at > 2 && at % 2 === 1 && namesSecret(lower[at - 1] ?? "")) : []);
    // ACL SETUSER user >password <password #hash !hash …
    case "acl":
      return new Set(sub === "setuser" ? places.filter((at) => at > 2 && /^[<>#!]./.test(words[at] ?? "")) : []);
    default:
      return new Set();
  }
}

/** The command with a mask in the place of each secret that is written in it; a placeholder is none. */
export function withoutCommandSecrets(text: string): string {
  const matches = [...text.matchAll(WORDS)];
  const secrets = secretWords(matches.map(wordOf));
  let out = "";
  let from = 0;
  for (const [at, match] of matches.entries()) {
    if (!secrets.has(at) || /^(?:\$\{[^{}]*\})+$/.test(match[0])) continue;
    out += text.slice(from, match.index) + MASK;
    from = match.index + match[0].length;
  }
  return out + text.slice(from);
}
