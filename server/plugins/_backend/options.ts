/** What a back end has to know of its driver and of its server. */
import type { DriversOptions } from "./drivers.ts";
import type { LinesOptions } from "./lines.ts";

export type { Judgement } from "./drivers.ts";

export interface BackendOptions<D> extends Omit<DriversOptions<D>, "keptMs">, LinesOptions {
  /** For people, without secrets: "PostgreSQL at 127.0.0.1:5432". */
  what: string;
  /** The cheapest question there is. `isDown`: whether the server is back is what is to be found out. */
  probe(driver: D, isDown: boolean): Promise<unknown>;
  /** An error of the driver's for people; by default its message. */
  words?: (err: unknown) => string;
  /** The alarm's name while it is down, one for each server of a plugin. */
  alarm: string;
  /**
   * A probe that is answered proves that questions are: else the first one does. Where questions went unanswered before it proves that only if it
   * is one itself ("always").
   */
  probeProves: boolean | "always";
}
