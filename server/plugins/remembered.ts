/**
 * Which plugins are to run at the next start, and in which order they were loaded: that is the order in which they are asked
 * (EMQ X 3.1's `loaded_plugins`).
 */
import type { KvStore, Store } from "../core/ports.ts";
import type { AnyPlugin } from "./plugin.ts";

export class Remembered {
  readonly #kv: KvStore;

  constructor(store: Pick<Store, "kv">) {
    this.#kv = store.kv("plugins");
  }

  /** Has this data directory a plugin that was loaded or unloaded explicitly? */
  get isDecided(): boolean {
    return this.#kv.entries().some(([key]) => key.startsWith("state/"));
  }

  isWanted({ name, required = false, activeByDefault }: AnyPlugin): boolean {
    return required || (this.#kv.get(`state/${name}`) ?? (activeByDefault ? "loaded" : "unloaded")) === "loaded";
  }

  /** It comes behind all others, unless it has its place already. */
  loaded(plugin: AnyPlugin): void {
    const { name } = plugin;
    if (!this.isWanted(plugin)) this.#kv.set(`order/${name}`, String(Math.max(0, ...this.#places()) + 1));
    this.#kv.set(`state/${name}`, "loaded");
  }

  unloaded({ name }: AnyPlugin): void {
    this.#kv.set(`state/${name}`, "unloaded");
  }

  /** What ran in the tree that this data directory stands in for, in its order. */
  takeOver(plugins: readonly AnyPlugin[], running: ReadonlySet<string>): void {
    const places = new Map([...running].map((name, i) => [name, i + 1]));
    for (const { name } of plugins) {
      const place = places.get(name);
      this.#kv.set(`state/${name}`, place === undefined ? "unloaded" : "loaded");
      if (place !== undefined) this.#kv.set(`order/${name}`, String(place));
    }
  }

  /** Those nobody has loaded by hand first, by their names. */
  inOrder<T extends { plugin: AnyPlugin }>(all: Iterable<T>): T[] {
    const place = ({ plugin }: T): number => Number(this.#kv.get(`order/${plugin.name}`) ?? 0);
    return [...all].sort((a, b) => place(a) - place(b) || (a.plugin.name < b.plugin.name ? -1 : 1));
  }

  /** As they end: the last one first, but whoever makes something of what others offer before all of those. */
  inEndOrder<T extends { plugin: AnyPlugin }>(all: Iterable<T>): T[] {
    const uses = ({ plugin }: T): number => Number(plugin.usesKinds ?? false);
    return this.inOrder(all)
      .reverse()
      .sort((a, b) => uses(b) - uses(a));
  }

  #places(): number[] {
    return this.#kv.entries().flatMap(([key, value]) => (key.startsWith("order/") ? [Number(value)] : []));
  }
}
