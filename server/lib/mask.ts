/** Shown in place of a secret. Sent back to the node, it leaves the secret as it is. */
export const MASK = "******";

/** A URL without the password that stands in it; any other text as it is. */
export function withoutPassword(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*:)[^/?#@]*@/i, `$1${MASK}@`);
}
