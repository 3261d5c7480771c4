/** Waiting for something to become true. A test waits for a condition, never for time: on a busy machine it takes longer, no more. */

/** How long a hang may last until it is called one, ms. Below the limit of a test, so that the message says what did not happen. */
export const PATIENCE_MS = 120_000;

/** Resolves when `there()` holds; looks often, and gives up with `what` in the message. */
export async function until(there: () => boolean | Promise<boolean>, what = "the condition", ms = PATIENCE_MS): Promise<void> {
  const end = performance.now() + ms;
  while (!(await there())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await Bun.sleep(2);
  }
}
