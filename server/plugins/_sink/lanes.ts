/**
 * All lanes of a sink: which one a key belongs to, which have something to do, other lanes in their place.
 *
 * A key belongs to a lane as long as something of it is there, and goes to whichever has the least when it comes again: what has one key stays in
 * order, and no lane has more to do than the others for long.
 */
import type { MonoMs } from "../../lib/time.ts";
import { Lane, type LaneOwner } from "./lane.ts";
import type { Entry } from "./types.ts";

export class Lanes<T> {
  #all: Lane<T>[] = [];
  /** They may have something to do. */
  readonly #touched = new Set<Lane<T>>();
  /** There are to be others as soon as nothing is under way. */
  #isStale = false;
  readonly #places = new Map<string, { readonly lane: Lane<T>; rows: number }>();
  /** Of lanes that have as much as each other, where to begin. */
  #turn = 0;

  constructor(private readonly owner: LaneOwner<T>) {
    this.#make();
  }

  #make(): void {
    this.#all = Array.from({ length: this.owner.settings().lanes }, () => new Lane(this.owner));
  }

  get sending(): number {
    return this.#all.reduce((n, l) => n + (l.state === "sending" ? 1 : 0), 0);
  }
  /** Nothing is under way, and nothing can be sent just now. */
  get isQuiet(): boolean {
    return this.#all.every((l) => l.state === "resting" || (l.state === "idle" && l.isEmpty));
  }

  /** What comes next somewhere is not on the disk: its file has had to make room. */
  get beginWithOnlyHere(): boolean {
    return this.#all.some(({ first }) => first?.seq === 0);
  }

  add(entry: Entry<T>): void {
    let place = this.#places.get(entry.key);
    if (place === undefined) {
      place = { lane: this.#emptiest(), rows: 0 };
      this.#places.set(entry.key, place);
    }
    place.rows++;
    place.lane.add(entry);
    this.#touched.add(place.lane);
  }

  /** An entry of this key has left, whichever way. */
  left(key: string): void {
    const place = this.#places.get(key);
    if (place !== undefined && --place.rows === 0) this.#places.delete(key);
  }

  /** One that rests only where all do. */
  #emptiest(): Lane<T> {
    const all = this.#all;
    this.#turn = (this.#turn + 1) % all.length;
    let best = all[this.#turn] as Lane<T>;
    for (let i = 1; i < all.length && !best.isEmpty; i++) {
      const lane = all[(this.#turn + i) % all.length] as Lane<T>;
      const rests = Number(lane.state === "resting") - Number(best.state === "resting");
      if (rests < 0 || (rests === 0 && lane.rows < best.rows)) best = lane;
    }
    return best;
  }

  /** The oldest of the fullest one; undefined = all there is is under way. */
  dropOldest(): Entry<T> | undefined {
    return this.#all.reduce((a, b) => (b.waitingBytes > a.waitingBytes ? b : a)).dropOldest();
  }

  /** Everything, under way or not, in the order of arrival. */
  entries(): Entry<T>[] {
    return this.#all.flatMap((l) => [...l.entries()]).sort((a, b) => a.order - b.order);
  }

  /** What has a number up to that one is nowhere but here. */
  leftTheDisk(last: number): void {
    for (const lane of this.#all) for (const entry of lane.entries()) if (entry.seq <= last) entry.seq = 0;
  }

  touch(lane: Lane<T>): void {
    this.#touched.add(lane);
  }

  touchAll(): void {
    for (const lane of this.#all) this.#touched.add(lane);
  }

  /** Those that rest need not any more; `isAnother` as in a lane's. */
  wake(isAnother: boolean): void {
    for (const lane of this.#all) {
      if (lane.state !== "resting") continue;
      lane.wake(isAnother);
      this.#touched.add(lane);
    }
  }

  /** Do what is due in those that have something to do. */
  step(now: MonoMs): void {
    this.#renew();
    if (this.#isStale) return;
    const touched = [...this.#touched];
    this.#touched.clear();
    for (const lane of touched) lane.step(now);
  }

  /** What is due by time. `mayBegin`: else only the time limit of what is under way is looked at. */
  tick(now: MonoMs, mayBegin: boolean): void {
    this.#renew();
    for (const lane of this.#all) if ((mayBegin && !this.#isStale) || lane.state === "sending") lane.step(now);
  }

  /** Their number is to be that of the settings. */
  resize(): void {
    this.#isStale ||= this.owner.settings().lanes !== this.#all.length;
    this.#renew();
  }

  /** What was in one lane may come to be in two: nothing may be under way then, or it could be overtaken. */
  #renew(): void {
    if (!this.#isStale || this.sending > 0) return;
    const all = this.takeAll();
    this.#places.clear();
    this.#make();
    this.#touched.clear();
    for (const entry of all) this.add(entry);
    this.#isStale = false;
  }

  /** End what is under way, without waiting for it. */
  stop(): void {
    for (const lane of this.#all) lane.stop();
  }

  /** Everything, in the order of arrival; of those that are sending nothing. */
  takeAll(): Entry<T>[] {
    return this.#all.flatMap((l) => l.takeAll()).sort((a, b) => a.order - b.order);
  }
}
