/**
 * A back end's drivers: the one that new calls are given, and the former one that somebody may still wait for. That is closed as soon as nobody
 * does, and at the latest when its time is over: some questions are never answered. There are never more than these two, so that a server that
 * is slow does not have to hold more and more connections.
 */
import { later, type MonoMs, reached } from "../../lib/time.ts";

/**
 * What an error of a driver means: the connection was lost before the question arrived; the server said no to the question; it is away; or
 * that part of it is which would have answered, others are asked as before.
 */
export type Judgement = "lost" | "refused" | "down" | "part";

export interface DriversOptions<D> {
  /** Make the driver's object. That need not connect yet. */
  open(): D | Promise<D>;
  close(driver: D): void | Promise<void>;
  /** Have connections been lost since it was last asked, as its library was told by their ends? Absent = it does not tell. */
  lost?(driver: D): boolean;
  judge(err: unknown): Judgement;
  /** How often a question is put again behind lost connections. */
  retries: number;
  /** So long a former one is kept for those who wait, ms. */
  keptMs: number;
}

export interface Opened<D> {
  readonly driver: Promise<D>;
  /** null = not yet. */
  made: D | null;
  inUse: number;
  /** null = new calls are given it. */
  closeBy: MonoMs | null;
}

export class Drivers<D> {
  #current: Opened<D>;
  #former: Opened<D> | null = null;

  constructor(private readonly o: DriversOptions<D>) {
    this.#current = this.#open();
  }

  /** For one call, which gives it back. */
  take(): Opened<D> {
    this.#current.inUse++;
    return this.#current;
  }

  giveBack(opened: Opened<D>): void {
    opened.inUse--;
    if (opened.inUse === 0 && opened === this.#former) this.closeFormer();
  }

  /** Behind a connection that had been lost, unnoticed, the question is put again, `retries` times at most; `again` is told each time. */
  async ask<T>(opened: Opened<D>, question: (driver: D) => Promise<T>, left: () => number, again: () => void = () => {}): Promise<T> {
    for (let n = 0; ; n++) {
      try {
        return await question(await opened.driver);
      } catch (err) {
        if (n >= this.o.retries || opened.closeBy !== null || left() <= 0 || this.o.judge(err) !== "lost") throw err;
        again();
      }
    }
  }

  isCurrent(opened: Opened<D>): boolean {
    return opened === this.#current;
  }

  /** Connections of the one in use were lost, nobody asking. */
  get lost(): boolean {
    const { made } = this.#current;
    return made !== null && this.o.lost?.(made) === true;
  }

  /** New calls get a new one. */
  replace(now: MonoMs): void {
    this.closeFormer();
    const before = this.#current;
    this.#current = this.#open();
    before.closeBy = later(now, this.o.keptMs);
    this.#former = before;
    if (before.inUse === 0) this.closeFormer();
  }

  expire(now: MonoMs): void {
    const closeBy = this.#former?.closeBy ?? null;
    if (closeBy !== null && reached(closeBy, now)) this.closeFormer();
  }

  /** Nobody waits for its answers any more, or may. */
  closeFormer(): void {
    const former = this.#former;
    this.#former = null;
    if (former !== null) void this.#shut(former);
  }

  async close(): Promise<void> {
    const all = this.#former === null ? [this.#current] : [this.#former, this.#current];
    this.#former = null;
    await Promise.all(all.map((opened) => this.#shut(opened)));
  }

  #open(): Opened<D> {
    const driver = (async () => this.o.open())();
    const opened: Opened<D> = { driver, made: null, inUse: 0, closeBy: null };
    driver.then(
      (made) => {
        opened.made = made;
      },
      // Whoever asks hears of it; nobody has to.
      () => {},
    );
    return opened;
  }

  async #shut(opened: Opened<D>): Promise<void> {
    try {
      await this.o.close(await opened.driver);
    } catch {
      // It could not be opened, or is gone already.
    }
  }
}
