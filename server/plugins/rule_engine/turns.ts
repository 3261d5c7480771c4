/** Long work in short turns: whoever has many rules to go through gives the event loop back every few milliseconds. */
const SLICE_MS = 4;

export interface TurnsPorts {
  /** Ms, monotonic. */
  mono(): number;
  /** In a later turn of the event loop. */
  soon(fn: () => void): void;
}

export class Turns {
  #since: number;

  constructor(private readonly ports: TurnsPorts) {
    this.#since = ports.mono();
  }

  /** Between two pieces of work: true = time to `await rest()`. */
  get over(): boolean {
    return this.ports.mono() - this.#since >= SLICE_MS;
  }

  async rest(): Promise<void> {
    await new Promise<void>((resolve) => this.ports.soon(resolve));
    this.#since = this.ports.mono();
  }
}
