/** A figure as monitoring systems take it: one name, a value for each set of labels. */

export type Labels = Readonly<Record<string, string>>;

export interface MetricFamily {
  /** Levels with slashes between them, as the API has them: "messages/received". A unit is its last word: "uptime/seconds". */
  readonly name: string;
  /** A counter only grows, from the start of the process on. */
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** What EMQ X called it for Prometheus, and its boards ask for; [] = it had none. */
  readonly emqx: readonly string[];
  readonly rows: readonly (readonly [labels: Labels, value: number])[];
}
