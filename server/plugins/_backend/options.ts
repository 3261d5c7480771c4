/** What a back end has to know of its driver and of its server. */
import type { DriversOptions } from "./drivers.ts";
import type { LinesOptions } from "./lines.ts";

/**
 * What an error of a driver means: the connection was lost before the question arrived; the server said no to the question; it is away; or
 * that part of it is which would have answered, others are asked as before.
 */
export type Judgement = "lost" | "refused" | "down" | "part";

export interface BackendOptions<D> extends Omit<DriversOptions<D>, "keptMs">, LinesOptions {
  /** For people, without secrets: "PostgreSQL at 127.0.0.1:5432". */
  what: string;
  /** The cheapest question there is. `isDown`: whether the server is back is what is to be found out. */
  probe(driver: D, isDown: boolean): Promise<unknown>;
  judge(err: unknown): Judgement;
  /** An error of the driver's for people; by default its message. */
  words?: (err: unknown) => string;
  /** The alarm's name while it is down, one for each server of a plugin. */
  alarm: string;
  /** How often a question is put again behind lost connections. */
  retries: number;
  /**
   * A probe that is answered proves that questions are: else the first one does. Where questions went unanswered before it proves that only if it
   * is one itself ("always").
   */
  probeProves: boolean | "always";
}
