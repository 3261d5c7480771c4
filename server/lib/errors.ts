/** What was thrown, in words. Anything may be thrown: none of these throws itself. */

function printed(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "something that cannot be printed";
  }
}

/** The message of an error; anything else as text. */
export function wordsOf(err: unknown): string {
  return err instanceof Error ? printed(err.message) : printed(err);
}

/** The first line of it: some libraries add a paragraph. */
export function lineOf(err: unknown): string {
  return wordsOf(err).split("\n", 1)[0] ?? "";
}

/** For the log: with the places it came from, where they are known. */
export function stackOf(err: unknown): string {
  return err instanceof Error ? printed(err.stack ?? err.message) : printed(err);
}
