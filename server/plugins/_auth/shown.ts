/** What a server has answered, as it is shown: the names of all fields, values only where they are no secret. */
import type { AnsweredField } from "../../core/access/trace.ts";
import type { ClientInfo } from "../../core/types.ts";
import { tokenParts } from "../../lib/token_parts.ts";
import { columnText } from "./columns.ts";

/** In place of a value that is a secret, or may be one. */
export const HIDDEN = "***";
/** More of an answer is not shown. */
export const ROWS_SHOWN = 100;
const VALUE_MAX = 200;
const NAME_MAX = 100;

const SECRET_NAME = /pass|pwd|secret|salt|hash|digest|token|credential|private/i;
/** A slip in a question may bring hashes where rules were meant: `$2a$…`, `{SSHA}…`, 32 hexadecimal digits and more. */
const HASH = /^\s*(?:\$\w{1,12}\$.+|\{(?:S?MD5|S?SHA\d*|CRYPT|CLEARTEXT|ARGON2\w*|BCRYPT|PBKDF2[\w-]*)\}.+|(?:[0-9a-f]{2}){16,})\s*$/is;
/** What says yes or no, or what a rule is for. */
const FLAG = /^(?:\d|true|false|t|f|yes|no|y|n|on|off)$/i;

const field = (name: string, value: string | null): AnsweredField => ({ name: name.slice(0, NAME_MAX), value });

/** A password's, hash's or salt's: that there is one. */
export const hiddenField = (name: string, value: unknown): AnsweredField =>
  field(name, value === null || value === undefined ? null : HIDDEN);

/** What says yes or no; whatever else stands there is not shown. */
export function flagField(name: string, value: unknown): AnsweredField {
  const text = columnText(value);
  return field(name, text === null || FLAG.test(text) ? text : HIDDEN);
}

/** A part of a rule, unless it looks like a secret. `client`: whom it was asked about, whose names may look like hashes. */
export function ruleField(name: string, value: unknown, { username, clientId }: Named): AnsweredField {
  const text = columnText(value);
  const isOwn = text !== null && (text === username || text === clientId) && tokenParts(text) === null;
  return field(name, text === null ? null : !isOwn && isSecret(name, text) ? HIDDEN : text.slice(0, VALUE_MAX));
}

type Named = Pick<ClientInfo, "username" | "clientId">;

/** By its name, or by what it looks like. */
export function isSecret(name: string, value: string): boolean {
  return SECRET_NAME.test(name) || HASH.test(value) || tokenParts(value) !== null;
}

/** "no row", "1 row", "7 rows", "4711 rows, the first 100 of them". */
export function countWords(n: number, one: string, many = `${one}s`): string {
  if (n === 0) return `no ${one}`;
  const all = n === 1 ? `1 ${one}` : `${n} ${many}`;
  return n > ROWS_SHOWN ? `${all}, the first ${ROWS_SHOWN} of them` : all;
}
