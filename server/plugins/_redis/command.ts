/** Words of a Redis command as somebody writes it, and which of them are secrets. */
import { MASK, namesSecret } from "../../lib/mask.ts";

const WORDS = /"((?:[^"\\]|\\.)*)"|'([^']*)'|((?:\$\{[^{}]*\}|\S)+)/g;

/** In quotes with their blanks, elsewhere by blanks; a placeholder is in one word with what stands around it. */
export const commandWords = (text: string): string[] => [...text.matchAll(WORDS)].map(wordOf);

const wordOf = ([, double, single, bare]: RegExpMatchArray): string => double?.replace(/\\(.)/g, "$1") ?? single ?? bare ?? "";

/** Positions of words that are secrets: what logs in, or sets what others log in with. */
export function secretWords(words: readonly string[]): ReadonlySet<number> {
  const lower = words.map((word) => word.toLowerCase());
  const found = new Set<number>();
  const [name, sub] = lower;
  // AUTH password, AUTH user password.
  if (name === "auth") found.add(words.length > 2 ? 2 : 1);
  if (name === "hello" || name === "migrate") {
    for (const [at, word] of lower.entries()) {
      if (word === "auth" && at > 0) found.add(name === "hello" ? at + 2 : at + 1);
      if (word === "auth2") found.add(at + 2);
    }
  }
  if (name === "config" && sub === "set") for (let at = 2; at < words.length; at += 2) if (namesSecret(lower[at] ?? "")) found.add(at + 1);
  if (name === "acl" && sub === "setuser") for (const [at, word] of words.entries()) if (at > 2 && /^[<>#!]./.test(word)) found.add(at);
  return found;
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
