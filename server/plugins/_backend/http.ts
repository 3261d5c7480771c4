/** What plugins that speak HTTP share. */
import { BackendError, type BackendFailure } from "./errors.ts";

/** Nobody reads the body: without this its connection, and what has come of it, are held until somebody collects garbage. */
export async function leaveUnread(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {
    // It broke off by itself.
  });
}

/** By ourselves, while it was under way: says nothing of the server. */
const givenUp = (): BackendError => new BackendError("gone", "the request was given up");

/** What `work` gives. @throws BackendError "gone" for whatever goes wrong in it once `ours` is aborted */
export async function unlessGivenUp<T>(work: Promise<T>, ours: AbortSignal): Promise<T> {
  try {
    return await work;
  } catch (err) {
    throw ours.aborted ? givenUp() : err;
  }
}

/** The body as text. @throws BackendError when it is longer than so many bytes; `failure`: what that means */
export async function limitedText(response: Response, bytesMax: number, failure: BackendFailure = "refused"): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > bytesMax) throw new BackendError(failure, `an answer of more than ${bytesMax} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}
