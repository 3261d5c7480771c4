/** What plugins that speak HTTP share. */
import { BackendError, type BackendFailure } from "./errors.ts";

/** By itself, which is as good. */
const brokeOff = (): void => {};

/** Nobody reads the body: without this its connection, and what has come of it, are held until somebody collects garbage. */
export async function leaveUnread(response: Response): Promise<void> {
  await response.body?.cancel().catch(brokeOff);
}

/** A body that is longer costs its connection: to make a new one is cheaper. */
const DROPPED_MAX = 64 * 1024;

/** Bodies that nobody wants, read nevertheless where they are short, so that their connections serve the next requests. */
export class Unread {
  #reading = 0;

  /** `max`: so many at a time. What is read takes a place of the runtime's for requests. */
  constructor(private readonly max: number) {}

  /** Settled, and never rejected, when the body is read to its end or, at the latest behind `ms`, given up together with its connection. */
  async drop(response: Response, ms: number): Promise<void> {
    if (response.body === null) return;
    if (ms <= 0 || this.#reading >= this.max) return leaveUnread(response);
    this.#reading++;
    const reader = response.body.getReader();
    const giveUp = (): void => void reader.cancel().catch(brokeOff);
    const timer = setTimeout(giveUp, ms);
    try {
      for (let size = 0; size <= DROPPED_MAX; ) {
        const { done, value } = await reader.read();
        if (done) return;
        size += value.length;
      }
      giveUp();
    } catch {
      brokeOff();
    } finally {
      clearTimeout(timer);
      this.#reading--;
    }
  }
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
