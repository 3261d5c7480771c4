/** Values in distinguished names [RFC 4514, 2.4]: all but harmless characters as their bytes in hexadecimal. */
export function escapedInDn(value: string): string {
  return value.replace(/[^A-Za-z0-9_.@-]+/g, (odd) => Buffer.from(odd, "utf8").toString("hex").replace(/../g, "\\$&"));
}
