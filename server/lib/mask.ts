import { tokenParts } from "./token_parts.ts";

/** Shown in place of a secret. Sent back to the node, it leaves the secret as it is. */
export const MASK = "******";

/**
 * Scheme, with the blanks that may stand before it, and what stands before the last "@" of the authority (RFC 3986, 3.2), where a parser takes earlier
 * ones for a part of the password.
 */
const USER_INFO = /^(\s*[a-z][a-z0-9+.-]*:\/\/)([^/?#]+)@/i;

/** A URL without the password that stands in it, or without the user where that is all, which may be a key; any other text as it is. */
export function withoutPassword(text: string): string {
  return text.replace(USER_INFO, (_, scheme: string, info: string) => {
    const user = /^[^:]*:(?=.)/s.exec(info)?.[0] ?? "";
    return `${scheme}${user}${MASK}@`;
  });
}

/** What is wrong with a URL that came back masked and was changed: nobody means those asterisks. null = it is none such. */
export function maskFault(text: string): string | null {
  const info = USER_INFO.exec(text)?.[2];
  const isMasked = info !== undefined && (info === MASK || info.endsWith(`:${MASK}`));
  return isMasked ? `${MASK} stands for a password that is not shown: type it again` : null;
}

/** A user name for the log: one that is a token (`auth.jwt.from = username`) lets in whoever reads it. */
export function loggedName(name: string | null | undefined): string | null {
  return name == null ? null : tokenParts(name) !== null ? `${name.slice(0, 8)}… (a token)` : name;
}
