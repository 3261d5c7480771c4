/** Numbers and gaps in the words of EMQ X 3.1. */

/** "76.45M": a step is taken only when the number is strictly greater. */
export function memoryText(bytes: number): string {
  if (bytes > 1024 ** 3) return `${(bytes / 1024 ** 3).toFixed(2)}G`;
  if (bytes > 1024 ** 2) return `${(bytes / 1024 ** 2).toFixed(2)}M`;
  if (bytes > 1024) return `${(bytes / 1024).toFixed(2)}K`;
  return String(bytes);
}

/** EMQ X's word for what is not set. */
export function orUndefined(text: string | null | undefined): string {
  return text === null || text === undefined ? "undefined" : text;
}
