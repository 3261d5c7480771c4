/** A timer of the runtime's: that of the node ends when the node does. Returns cancel. */
export function realTimer(ms: number, fn: () => void): () => void {
  const timer = setTimeout(fn, ms);
  return () => clearTimeout(timer);
}
