/** Run `fn` in every turn of the event loop from the next one on. Returns how to stop it. */
export function everyTurn(fn: () => void): () => void {
  let next: ReturnType<typeof setImmediate>;
  const run = (): void => {
    fn();
    next = setImmediate(run);
  };
  next = setImmediate(run);
  return () => clearImmediate(next);
}
