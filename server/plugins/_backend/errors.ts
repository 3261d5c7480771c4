/** Why a call to a server outside came to nothing. */

/**
 * - `down`: the server cannot be reached, or not with these settings; nobody was asked.
 * - `busy`: as many calls wait already as may.
 * - `timeout`: no answer within the time.
 * - `gone`: the client has left before its turn came, or the plugin was unloaded.
 * - `refused`: the server answered with an error about this one question.
 */
export type BackendFailure = "down" | "busy" | "timeout" | "gone" | "refused";

export class BackendError extends Error {
  override readonly name = "BackendError";
  constructor(
    readonly kind: BackendFailure,
    message: string,
  ) {
    super(message);
  }
}

/** Of a call that was ended before all of it was begun: whoever has asked has heard that it is over. */
export const notWanted = (): BackendError => new BackendError("gone", "nobody waits for it any more");
