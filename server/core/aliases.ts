/** Topic aliases of a connection (section 3.3.2.3.4), bounded in what they take of memory: the other side says only how many there may be. */

/** Towards one client: a topic sent often is soon among the first. */
const OUT_MAX = 256;
const OUT_CHARS = 16 * 1024;
/** From one client, which was told how many by CONNACK. */
const IN_CHARS = 1024 * 1024;

/** Topic -> alias, towards the client. The first topics have them. */
export class AliasesOut {
  readonly #aliases = new Map<string, number>();
  readonly #max: number;
  #chars = 0;

  /** `max`: Topic Alias Maximum of its CONNECT [MQTT-3.1.2-26]. */
  constructor(max: number) {
    this.#max = Math.min(max, OUT_MAX);
  }

  get(topic: string): number | undefined {
    return this.#aliases.get(topic);
  }

  /** The alias that a topic without one may have; 0 = none is left. */
  free(topic: string): number {
    if (this.#aliases.size >= this.#max || this.#chars + topic.length > OUT_CHARS) return 0;
    return this.#aliases.size + 1;
  }

  /** The topic was sent with the alias that was free. */
  taken(topic: string): void {
    this.#aliases.set(topic, this.#aliases.size + 1);
    this.#chars += topic.length;
  }
}

/** Alias -> topic, from the client. */
export class AliasesIn {
  readonly #topics = new Map<number, string>();
  #chars = 0;

  get(alias: number): string | undefined {
    return this.#topics.get(alias);
  }

  /** False = together the topics would be too long. */
  set(alias: number, topic: string): boolean {
    const chars = this.#chars + topic.length - (this.#topics.get(alias)?.length ?? 0);
    if (chars > IN_CHARS) return false;
    this.#chars = chars;
    this.#topics.set(alias, topic);
    return true;
  }
}
