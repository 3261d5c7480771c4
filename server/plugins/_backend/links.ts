/**
 * Connections of a driver whose library does not look after them as we want: each is made when it is needed, by one caller for all who wait,
 * and anew when it was lost. Whoever asks hears at once what is wrong.
 *
 *   none --ready()--> opening --made--> open --lost, ready()--> opening;   opening --fails--> none;   any --close()--> closed
 */
export interface LinkOptions<C> {
  /**
   * `n`: which of them, from 0. What was lost, and what is made in its place, have the same one, and there is one with it at a time. `ended`: nobody
   * wants it any more. Whoever may wait long for a server gives up then; what is made all the same is closed.
   */
  open(n: number, ended: AbortSignal): Promise<C>;
  /** It has not been lost, as far as its library knows. */
  alive(connection: C): boolean;
  close(connection: C): void;
  /** Something is under way: where another one has nothing, that has its turn. Absent = nobody asks. */
  busy?(connection: C): boolean;
}

class Link<C> {
  #connection: C | null = null;
  #opening: Promise<C> | null = null;
  readonly #ended = new AbortController();

  constructor(
    private readonly o: LinkOptions<C>,
    private readonly n: number,
  ) {}

  get isBusy(): boolean {
    const { o } = this;
    const connection = this.#connection;
    return this.#opening !== null || (connection !== null && o.alive(connection) && o.busy?.(connection) === true);
  }

  async ready(): Promise<C> {
    const { o } = this;
    if (this.#connection !== null && o.alive(this.#connection)) return this.#connection;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #open(): Promise<C> {
    this.#drop();
    const { signal } = this.#ended;
    signal.throwIfAborted();
    const made = await this.o.open(this.n, signal);
    if (!signal.aborted) this.#connection = made;
    else {
      this.o.close(made);
      signal.throwIfAborted();
    }
    return made;
  }

  #drop(): void {
    if (this.#connection !== null) this.o.close(this.#connection);
    this.#connection = null;
  }

  /** Let it go if it was lost. */
  dropLost(): boolean {
    if (this.#connection === null || this.o.alive(this.#connection)) return false;
    this.#drop();
    return true;
  }

  close(): void {
    this.#ended.abort(new Error("closed meanwhile"));
    this.#drop();
  }
}

/** So many of them, in turn. */
export class Links<C> {
  readonly #links: Link<C>[];
  readonly #looks: boolean;
  #asked = 0;

  /** `inARow`: so many calls go to the same one before the next has its turn: a library may send them in one write. */
  constructor(
    n: number,
    o: LinkOptions<C>,
    private readonly inARow = 1,
  ) {
    this.#links = Array.from({ length: n }, (_, at) => new Link(o, at));
    this.#looks = o.busy !== undefined;
  }

  ready(): Promise<C> {
    const at = Math.floor(this.#asked++ / this.inARow) % this.#links.length;
    const all = this.#links;
    const free = this.#looks ? all.findIndex((_, i) => !(all[(at + i) % all.length] as Link<C>).isBusy) : 0;
    return (all[(at + Math.max(0, free)) % all.length] as Link<C>).ready();
  }

  /** Have any been lost, since somebody asked this or was given one? */
  lost(): boolean {
    return this.#links.filter((link) => link.dropLost()).length > 0;
  }

  close(): void {
    for (const link of this.#links) link.close();
  }
}
