/** What a driver gives for a column; null = nothing. */
export function columnText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  return String(value);
}
