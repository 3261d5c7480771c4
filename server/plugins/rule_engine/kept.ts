/** The last things of each rule, to be looked at: so many of one, so many bytes of all together. The oldest go first, whosever they are. */

interface Owned<T> {
  readonly owner: string;
  readonly item: T;
  readonly bytes: number;
  gone: boolean;
}

export class KeptLast<T> {
  readonly #by = new Map<string, Owned<T>[]>();
  /** In order of arrival; what is gone is skipped. */
  #all: Owned<T>[] = [];
  #first = 0;
  #live = 0;
  #bytes = 0;

  constructor(
    private readonly each: number,
    private readonly bytesMax: number,
  ) {}

  get bytes(): number {
    return this.#bytes;
  }

  add(owner: string, item: T, bytes: number): void {
    let list = this.#by.get(owner);
    if (list === undefined) {
      list = [];
      this.#by.set(owner, list);
    }
    const entry = { owner, item, bytes, gone: false };
    list.push(entry);
    this.#all.push(entry);
    this.#live++;
    this.#bytes += bytes;
    if (list.length > this.each) this.#drop(list.shift() as Owned<T>);
    while (this.#bytes > this.bytesMax && this.#first < this.#all.length) this.#dropFirst();
    if (this.#all.length > 1024 + 2 * this.#live) this.#sweep();
  }

  /** Newest first. */
  of(owner: string): T[] {
    return (this.#by.get(owner) ?? []).map((entry) => entry.item).reverse();
  }

  count(owner: string): number {
    return this.#by.get(owner)?.length ?? 0;
  }

  remove(owner: string): void {
    for (const entry of this.#by.get(owner) ?? []) this.#drop(entry);
    this.#by.delete(owner);
  }

  #drop(entry: Owned<T>): void {
    entry.gone = true;
    this.#live--;
    this.#bytes -= entry.bytes;
  }

  #dropFirst(): void {
    const entry = this.#all[this.#first++] as Owned<T>;
    if (entry.gone) return;
    this.#drop(entry);
    const list = this.#by.get(entry.owner);
    list?.shift();
    if (list?.length === 0) this.#by.delete(entry.owner);
  }

  #sweep(): void {
    this.#all = this.#all.filter((entry) => !entry.gone);
    this.#first = 0;
  }
}
