/** A JSON Web Token (RFC 7519) as compact JWS (RFC 7515), taken apart strictly; whether it is good is not looked at. */

export interface TokenParts {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Header and payload as they are signed. */
  readonly signed: string;
  /** base64url, if it is whole. */
  readonly signature: string;
}

const FORM = /^([\w-]+\.[\w-]+)\.([\w-]*)$/;

/** It has the three parts of one; what is in them is not looked at. */
export const hasTokenForm = (text: string): boolean => FORM.test(text);

/** null = this is no token. */
export function tokenParts(text: string): TokenParts | null {
  const [, signed, signature] = FORM.exec(text) ?? [];
  if (signed === undefined || signature === undefined) return null;
  const [header, claims] = signed.split(".").map(objectIn);
  return header == null || claims == null ? null : { header, claims, signed, signature };
}

function objectIn(part: string): Record<string, unknown> | null {
  if (!isWhole(part)) return null;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(part, "base64url")));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Of base64url: no character is left over. */
export function isWhole(part: string): boolean {
  return part.length % 4 !== 1;
}
