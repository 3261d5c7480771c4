/**
 * Which consumers (rules, a capture) look at a message: their filters in a trie, as the broker's subscriptions are, so that a thousand rules
 * cost a message only those that match. What a topic leads to is remembered while nothing changes.
 */
import { Trie } from "../../core/trie.ts";
import { utf8Length, writeUtf8 } from "../../mqtt/utf8.ts";

/** Topics that are remembered: so many, of so many characters together. */
const KEPT_TOPICS = 20_000;
const KEPT_CHARACTERS = 2 * 1024 * 1024;
/** Longest topic of MQTT, bytes. */
const TOPIC_MAX = 65_535;

export class Matching<T extends { readonly order: number }> {
  readonly #trie = new Trie<Set<T>>();
  readonly #nobody: readonly T[] = [];
  readonly #kept = new Map<string, readonly T[]>();
  #characters = 0;
  /** The last topic and what it leads to: a hook is asked for a topic, and then given the message. */
  #topic = "";
  #last: readonly T[] = this.#nobody;
  readonly #bytes = Buffer.allocUnsafeSlow(TOPIC_MAX);

  /** Nobody waits for anything. */
  get empty(): boolean {
    return this.#trie.size === 0;
  }

  /** Nodes of the trie that were looked at so far. */
  get steps(): number {
    return this.#trie.steps;
  }

  add(consumer: T, filters: readonly string[]): void {
    for (const filter of filters) {
      const path = pathOf(filter);
      let consumers = this.#trie.get(path);
      if (consumers === null) {
        consumers = new Set();
        this.#trie.set(path, consumers);
      }
      consumers.add(consumer);
    }
    this.#forget();
  }

  remove(consumer: T, filters: readonly string[]): void {
    for (const filter of filters) {
      const path = pathOf(filter);
      const consumers = this.#trie.get(path);
      if (consumers === null) continue;
      consumers.delete(consumer);
      if (consumers.size === 0) this.#trie.delete(path);
    }
    this.#forget();
  }

  /** Those whose filters match, each once, by their order. The array is shared: do not change it. */
  of(topic: string): readonly T[] {
    if (topic === this.#topic) return this.#last;
    let found = this.#kept.get(topic);
    if (found === undefined) {
      found = this.#find(topic);
      this.#keep(topic, found);
    }
    this.#topic = topic;
    this.#last = found;
    return found;
  }

  #find(topic: string): readonly T[] {
    if (utf8Length(topic) > TOPIC_MAX) return this.#nobody;
    const end = writeUtf8(this.#bytes, 0, topic);
    const sets: Set<T>[] = [];
    this.#trie.match(this.#bytes, 0, end, sets, false);
    const [first] = sets;
    if (first === undefined) return this.#nobody;
    if (sets.length === 1 && first.size === 1) return [...first];
    const all = new Set<T>();
    for (const set of sets) for (const consumer of set) all.add(consumer);
    return [...all].sort((a, b) => a.order - b.order);
  }

  #keep(topic: string, found: readonly T[]): void {
    this.#characters += topic.length;
    if (this.#kept.size >= KEPT_TOPICS || this.#characters > KEPT_CHARACTERS) this.#forget();
    this.#kept.set(topic, found);
  }

  #forget(): void {
    this.#kept.clear();
    this.#characters = 0;
    this.#topic = "";
    this.#last = this.#nobody;
  }
}

/** With one character for each byte of its UTF-8, as the trie wants it. */
const pathOf = (filter: string): string => Buffer.from(filter).toString("latin1");
