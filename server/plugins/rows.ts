/** What the plugin manager shows. */

export type OnErrorOf = "all" | "topics";

/** One row of the plugin list. */
export interface PluginRow {
  name: string;
  version: string;
  description: string;
  active: boolean;
  /** Extras: why it does not run or what failed last, and how often something of it failed. */
  error: string | null;
  failures: number;
  required: boolean;
  /** Its settings can be tried. */
  testable: boolean;
  /** null = no setting of it says what happens while its server is down, or a script fails. */
  onErrorOf: OnErrorOf | null;
  /** Path of a plugin that is not built in. */
  file: string | null;
}

/** One row of `GET /configs`. */
export interface LiveConfigRow {
  key: string;
  /** In base units (bytes, ms). */
  value: string;
  /** Misspelt as in 3.1. */
  datatpye: string;
  datatype: string;
  app: string;
}
