/** What may be asked with: one question that reads. A slip in a setting, or in a test of one, must not cost anybody a table. */

/** Texts, quoted names and comments: with `\'` as MySQL reads it, and as PostgreSQL does. A comment that MySQL executes is none. */
const BLANKED = [/'(?:[^'\\]|''|\\[\s\S])*'/, /'(?:[^']|'')*'/].map(
  (text) => new RegExp(`${text.source}|"[^"]*"|\`[^\`]*\`|--[^\\n]*|/\\*(?![!M])[\\s\\S]*?\\*/`, "g"),
);
const BEGINS = /^[\s(]*(?:select|with)\b/i;
/** `into` makes a table or a file; the others are what a `with` may have beside its select. `for update` only locks. */
const WRITES = /(?<!\.)\b(?:into|insert|delete|merge|truncate|(?<!\bfor\s+(?:no\s+key\s+)?)update)\b(?!\s*[(.])/i;

export const ONE_SELECT = "one select, which only reads";

/** Nothing, or one `select`, or a `with` of nothing but such. null = it is something else. */
export function oneSelect(text: string): string | null {
  return BLANKED.every((blanked) => {
    const bare = text
      .replace(blanked, (found) => (/^[-/]/.test(found) ? " " : " '' "))
      .trim()
      .replace(/;$/, "");
    return bare === "" || (BEGINS.test(bare) && !bare.includes(";") && !WRITES.test(bare));
  })
    ? text
    : null;
}
