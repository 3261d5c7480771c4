/** What was said of each key, and by whom. */
import type { Origin } from "./types.ts";

/** Later ones stand above earlier ones. What whoever starts the node says with environment and flags, nobody overrules from a browser. */
const LAYERS = ["beside", "file", "api", "env", "flag"] as const;
export type Layer = (typeof LAYERS)[number];
/** "beside": the file beside a plugin that is not built in. */
const ORIGIN: Readonly<Record<Layer, Origin>> = { beside: "file", file: "file", api: "api", env: "env", flag: "flag" };

export interface Given {
  /** null = as by default, whatever lower layers say. */
  text: string | null;
  /** In words that read on after "is set", e.g. "in etc/emqx.conf:12". */
  where: string;
}

/** A line of a file that another layer stands above. */
export interface Overridden {
  key: string;
  /** Where the line is, in words. */
  where: string;
  /** Where it is set above it, in words. */
  by: string;
}

export class Layers {
  readonly #of: Record<Layer, Map<string, Given>>;

  constructor(from: Layers | null = null) {
    this.#of = Object.fromEntries(LAYERS.map((l) => [l, new Map(from?.of(l))])) as Record<Layer, Map<string, Given>>;
  }

  of(layer: Layer): Map<string, Given> {
    return this.#of[layer];
  }
  replace(layer: Layer, lines: Map<string, Given>): void {
    this.#of[layer] = lines;
  }

  #top(key: string): Layer | undefined {
    return LAYERS.findLast((l) => this.#of[l].has(key));
  }
  /** What counts; undefined = nobody said anything. */
  top(key: string): Given | undefined {
    const layer = this.#top(key);
    return layer === undefined ? undefined : this.#of[layer].get(key);
  }
  origin(key: string): Origin {
    const layer = this.#top(key);
    return layer === undefined ? "default" : ORIGIN[layer];
  }

  /** The line of a file; undefined = there is none. */
  line(key: string): Given | undefined {
    return this.#of.file.get(key) ?? this.#of.beside.get(key);
  }

  /** Lines of the files, of these keys, that say something else than what is in force. */
  overridden(keys: Iterable<string>): Overridden[] {
    return [...keys].flatMap((key) => {
      const [line, top] = [this.line(key), this.top(key)];
      return line === undefined || top === undefined || top.text === line.text ? [] : [{ key, where: line.where, by: top.where }];
    });
  }

  /** Keys somebody set. */
  keys(): Set<string> {
    return new Set(LAYERS.flatMap((l) => [...this.#of[l].keys()]));
  }
}
