/** Shown in place of a secret. Sent back to the node, it leaves the secret as it is. */
export const MASK = "******";

/** A URL without the password that stands in it; any other text as it is. */
export function withoutPassword(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*:)[^/?#@]*@/i, `$1${MASK}@`);
}

/** A JSON Web Token: three parts in base64url, the first of which is an object. */
const TOKEN = /^eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/;

/** A user name for the log: one that is a token (`auth.jwt.from = username`) lets in whoever reads it. */
export function loggedName(name: string | null | undefined): string | null {
  return name == null ? null : TOKEN.test(name) ? `${name.slice(0, 8)}… (a token)` : name;
}
