/**
 * What goes out to somebody else, who may be slow, or away: nobody who gives something waits, and what belongs together (one key) arrives in order.
 *
 * An item is in memory, in a lane (lane.ts), on the disk (spool.ts), or both, until it was taken or given up (letters.ts). With a disk everything is
 * written there in the turn it came, and what memory has no room for is read from there later, in order; without one the oldest of the fullest lane
 * makes room. The sink alone counts what is there, and owns what is called by time.
 */
import { wordsOf } from "../../lib/errors.ts";
import type { DeadLetters, WaitingRows } from "../actions.ts";
import type { ServerReport } from "../reports.ts";
import type { Disk } from "./disk.ts";
import { DiskTrouble } from "./disk_trouble.ts";
import { Drops } from "./drops.ts";
import { Due } from "./due.ts";
import { Entries, itemsOf, seqsOf } from "./entries.ts";
import { Health } from "./health.ts";
import type { LaneOwner } from "./lane.ts";
import { Lanes } from "./lanes.ts";
import { Left, type OnlyHere, onlyHere } from "./left.ts";
import { type Letter, Letters } from "./letters.ts";
import { Quiet } from "./quiet.ts";
import { Reading } from "./reading.ts";
import { Room } from "./room.ts";
import { spoolOwner } from "./spool_owner.ts";
import { SinkStore } from "./store.ts";
import type { Entry, SinkHost, SinkOptions, SinkSettings, Stored } from "./types.ts";

const TICK_MS = 100;

export class Sink<T> {
  readonly #lanes: Lanes<T>;
  readonly #due: Due;
  readonly #entries: Entries<T>;
  readonly #room: Room<T>;
  #order = 0;
  readonly #health: Health;
  readonly #drops: Drops;
  readonly #letters: Letters<T>;
  readonly deadLetters: DeadLetters;
  #store: SinkStore<T> | null = null;
  #discarded: Promise<void> = Promise.resolve();
  /** The next tick begins it where it was held. */
  readonly reading: Reading;
  readonly #trouble: DiskTrouble;
  /** closing: what may be sent still is. ending: nothing is any more. */
  #state: "open" | "closing" | "ending" | "closed" = "open";
  /** Another one takes its place. */
  #hasHeir = false;
  #sent = 0;
  #gaveUp = 0;
  readonly #stopTimer: () => void;
  readonly #uncount: (() => void) | undefined;
  readonly #quiet = new Quiet();

  constructor(
    private readonly host: SinkHost,
    private readonly options: SinkOptions<T>,
    private settings: SinkSettings<T>,
    /** Of a directory, by its path. */
    private readonly diskAt: (path: string) => Disk,
  ) {
    this.#entries = new Entries(host.clock, options.codec);
    const suffix = options.alarmSuffix ?? "";
    this.#health = new Health(host, settings.what, options);
    this.#drops = new Drops(host, `dropped${suffix}`);
    this.#trouble = new DiskTrouble(host, suffix);
    this.#letters = new Letters<T>({
      bounds: () => this.settings,
      shown: (item) => options.shown(item),
      again: (letter) => this.#again(letter),
      added: (letter) => void this.#store?.addLetter(letter),
      removed: (ids) => this.#store?.removeLetters(ids),
      resent: (ids) => this.#store?.resentLetters(ids),
    });
    this.deadLetters = this.#letters;
    this.#due = new Due(
      host,
      () => this.#step(),
      () => this.#look(),
    );
    this.#lanes = new Lanes(this.#makeOwner());
    const dropped = (rows: number): void => this.#dropped(rows);
    const pushedOut = (seq: number): void => this.#store?.spool.done([seq]);
    this.#room = new Room<T>(host, this.#lanes, () => this.settings, { dropped, pushedOut });
    this.reading = new Reading({
      isOpen: () => this.#state === "open",
      hasRoom: () => this.#room.isHalfFree,
      bounds: () => this.#room.readable,
      found: (all) => {
        for (const stored of all) this.#restore(stored);
        this.#due.soon();
      },
      dropped,
    });
    if (settings.diskMax > 0 || options.hasLeft?.() === true) this.#openStore();
    this.#stopTimer = host.every(TICK_MS, () => this.#tick());
    this.#uncount = host.countWaiting?.(() => this.#room.bytes + this.#letters.bytes + (this.#store?.spool.unwritten ?? 0));
  }
  /** Take an item: never waits, never throws. `key`: what has the same one arrives in order. `bytes`: what it takes in memory. */
  push(item: T, key: string, bytes: number): void {
    this.#offer(this.#entries.given(item, key, bytes));
  }

  #offer(entry: Entry<T>, isOld = false): void {
    try {
      if (this.#state === "open") this.#take(entry, isOld);
      else if (this.#state === "closed" || !this.#keep(entry)) this.#dropped(1);
    } catch (err) {
      this.host.log.error("an item cannot be queued", { server: this.settings.what, error: wordsOf(err) });
      this.#drops.add(1, this.settings.what, false);
    }
  }

  /** Everything that waits is in memory. What is being read is not yet. */
  get #isCaughtUp(): boolean {
    return !this.reading.isUnderWay && (this.#store?.spool.caughtUp ?? true);
  }

  /** What comes goes to the disk. Behind what waits there it waits there, too. */
  get #isWritten(): boolean {
    return this.#store !== null && (this.settings.diskMax > 0 || !this.#isCaughtUp);
  }

  #take(entry: Entry<T>, isOld = false): void {
    if (this.#store !== null && this.#isWritten) this.#takeOnDisk(this.#store, entry, isOld);
    else if (this.#room.make(entry.bytes)) this.#admit(entry);
  }

  #takeOnDisk(store: SinkStore<T>, entry: Entry<T>, isOld: boolean): void {
    const { tail } = this.#room;
    const isLoaded = this.#isCaughtUp && this.#room.fits(entry.bytes);
    const seq = tail.any ? null : store.append(entry, this.host.clock, isLoaded, isOld);
    if (isLoaded) this.#admit(entry, seq ?? 0);
    // The disk does not keep up, or fails: what came before has to go first.
    if (seq === null && isLoaded) tail.add(entry);
    else if (seq === null) this.#dropped(1);
    this.#due.soon();
  }

  /** It closes, and the disk has what comes until then. False = there is none, or it does not take it. */
  #keep(entry: Entry<T>): boolean {
    return this.#store !== null && this.settings.diskMax > 0 && this.#store.append(entry, this.host.clock, false) !== null;
  }

  #admit(entry: Entry<T>, seq = 0): void {
    entry.order = ++this.#order;
    entry.seq = seq;
    this.#lanes.add(entry);
    this.#room.add(entry);
    this.#due.soon();
  }

  #dropped(rows: number): void {
    this.#drops.add(rows, this.settings.what, this.#state === "open");
  }

  #step(): void {
    this.#store?.spool.flush();
    if (!this.#mayBegin) return;
    this.#lanes.step(this.host.clock.mono());
    this.#readOn();
  }

  /** Time is over for somebody. */
  #look(): void {
    this.#lanes.touchAll();
    this.#step();
  }
  /** Nothing new is sent: another one gets what waits, and what is on the disk is safe there, as long as the disk takes it. */
  get #isStopping(): boolean {
    const isSafe = (): boolean => this.settings.diskMax > 0 && this.#trouble.why === null && !this.#lanes.beginWithOnlyHere;
    return this.#state === "ending" || (this.#state === "closing" && (this.#hasHeir || isSafe()));
  }

  #tick(): void {
    const now = this.host.clock.mono();
    this.#health.tick(now);
    this.#drops.tick(now, this.settings.what);
    this.#lanes.tick(now, this.#mayBegin);
    this.#store?.tick(now);
    this.#readOn();
    this.#endStore();
  }

  get #mayBegin(): boolean {
    return this.#state !== "closed" && !this.#isStopping;
  }
  get #isQuiet(): boolean {
    return this.#isStopping ? this.#lanes.sending === 0 : this.#lanes.isQuiet;
  }
  #makeOwner(): LaneOwner<T> {
    return {
      settings: () => this.settings,
      isClosing: () => this.#state !== "open",
      isDown: () => this.#health.isDown,
      now: () => this.host.clock.mono(),
      random: () => this.host.random(),
      // What takes longer the tick sees.
      due: (at) => {
        if (at - this.host.clock.mono() < TICK_MS) this.#due.at(at);
      },
      began: (again) => this.#health.began(again),
      taken: (entries, ms) => {
        this.#sent += entries.length;
        for (const entry of entries) this.#room.remove(entry);
        this.#store?.spool.done(seqsOf(entries));
        this.host.done?.(entries.length, ms);
        if (this.#health.taken(ms)) this.#wake();
      },
      gaveUp: (entries, why) => this.#toLetters(entries, why),
      failed: (lane, err, isTimeout) => {
        const counts = this.#health.countsAgainst(lane, err, this.settings.backoffMostMs);
        if (this.#health.failed(err, isTimeout, this.settings.retries)) this.#wake();
        return counts;
      },
      settled: (lane) => {
        this.#lanes.touch(lane);
        // Nobody waits here: the answer's own turn is as good as a later one.
        if (this.#mayBegin) this.#lanes.step(this.host.clock.mono());
        if (this.#isQuiet) this.#quiet.is();
        if (this.#store !== null) this.#due.soon();
      },
    };
  }

  #wake(isAnother = false): void {
    this.#lanes.wake(isAnother);
    this.#due.soon();
  }
  /** What is on the disk is done there when the letter is. */
  #toLetters(entries: readonly Entry<T>[], why: string): void {
    this.#gaveUp += entries.length;
    for (const entry of entries) this.#room.remove(entry);
    this.options.gaveUp?.(itemsOf(entries), why);
    this.#letters.gaveUp(entries, why, this.host.clock.now());
    this.#store?.lettered(seqsOf(entries));
  }

  #again({ item, key, bytes }: Letter<T>): boolean {
    if (this.#state !== "open") return false;
    const entry = this.#entries.again(item, key, bytes);
    const isOnDisk = (): boolean => !this.#room.tail.any && this.#store?.spool.hasRoom(this.options.codec.encode(item).length) === true;
    const fits = this.#isWritten ? isOnDisk() : this.#room.fits(entry.bytes);
    if (fits) this.#take(entry);
    return fits;
  }

  #openStore(): void {
    const { directory, codec } = this.options;
    if (this.#store !== null || directory === null) return;
    const owner = spoolOwner({
      host: this.host,
      trouble: this.#trouble,
      drops: this.#drops,
      settings: () => this.settings,
      unwrittenMax: this.options.unwrittenMax,
      readable: () => this.#readable(),
      madeRoom: (last, lost) => {
        this.#lanes.leftTheDisk(last);
        this.#dropped(lost);
      },
      opened: () => this.#writeDown(),
    });
    this.#store = new SinkStore<T>(this.diskAt(directory()), owner, codec, this.#letters);
  }

  /** A disk that there was not when they came. */
  #writeDown(): void {
    this.#room.tail.clear();
    this.#store?.writeDown(this.#lanes.entries(), this.host.clock);
  }

  /** The disk may have room for what it had none for when it came. */
  #readable(): void {
    if (this.#store?.spool.unwritten === 0) {
      this.#store.writeTail(this.#room.tail.takeAll(), this.host.clock);
      this.#store.writeResent();
    }
    this.#readOn();
  }

  #readOn(): void {
    if (this.#store !== null) this.reading.on(this.#store.spool);
  }

  #restore(stored: Stored): void {
    const { spool } = this.#store as SinkStore<T>;
    try {
      this.#admit(this.#entries.found(stored), spool.has(stored.seq) ? stored.seq : 0);
    } catch (err) {
      spool.done([stored.seq]);
      this.#drops.lost(1, this.settings.what, wordsOf(err));
    }
  }

  /** The disk is not wanted any more, and nobody needs what is on it. */
  #endStore(): void {
    const store = this.#store;
    if (store === null || this.settings.diskMax > 0 || this.#state !== "open" || !store.spool.isEmpty) return;
    this.#store = null;
    this.#room.tail.clear();
    this.#discarded = store.discard();
  }

  /** Somebody has looked whether the other side is there, while nothing was sent; null = it is. */
  seen(err: string | null): void {
    if (this.#health.seen(err)) this.#wake();
  }

  /** Other settings, at once; other lanes when nothing is under way, so that the order stays. */
  change(settings: SinkSettings<T>): void {
    const isAnother = settings.what !== this.settings.what;
    const isSwitchedOn = this.settings.diskMax === 0 && settings.diskMax > 0;
    this.settings = settings;
    if (isAnother) this.#health.rename(settings.what);
    if (settings.diskMax > 0) this.#openStore();
    if (isSwitchedOn && this.#isCaughtUp) this.#writeDown();
    this.#letters.bound();
    this.#wake(isAnother);
    this.#lanes.resize();
    this.#lanes.touchAll();
  }

  get waiting(): WaitingRows {
    const rows = this.#room.rows + (this.#store?.spool.unread ?? 0);
    return { rows, bytes: this.#room.bytes, behind: rows > 0 ? this.#health.behind : null };
  }

  report(): ServerReport {
    const { rows } = this.waiting;
    const { what, lanes: pool } = this.settings;
    const counted = {
      sent: this.#sent,
      dropped: this.#drops.count,
      gaveUp: this.#gaveUp,
      letters: this.#letters.count,
      torn: this.#trouble.torn,
    };
    const held = { rows, bytes: this.#room.bytes, diskBytes: this.#store?.spool.bytes ?? 0, diskError: this.#trouble.why };
    return { ...this.#health.shown(what), running: this.#lanes.sending, waiting: rows, pool, queue: { ...held, ...counted } };
  }

  /** What waits is sent for a moment more. What is on the disk stays there, anything else is counted as dropped. */
  async close(): Promise<void> {
    if (this.#state !== "open") return;
    this.#drops.atEnd((await this.#stop()).entries.length, this.settings.what);
    this.#end();
  }

  /** As `close`, but what waits is not sent any more: one with the same directory gets it, and the dead letters. */
  async handOver(): Promise<Left<T>> {
    if (this.#state !== "open") return new Left<T>({ entries: [], older: 0 }, [], 0, this.options.codec);
    this.#hasHeir = true;
    const waiting = await this.#stop();
    const letters = this.#letters.all();
    this.#end();
    return new Left<T>(waiting, this.#store?.hasLetters === true ? [] : letters, letters.length, this.options.codec);
  }

  /** Take over what one has left that was here before. Call it before anything is pushed. */
  inherit(left: Left<T>): void {
    const { waiting, deadLetters } = left.under(this.options.codec);
    this.#letters.inherit(deadLetters);
    // Behind what is on the disk they would be overtaken by it.
    const inMemory = this.#store === null ? 0 : waiting.older;
    for (const entry of waiting.entries.slice(0, inMemory)) this.#admit(entry);
    for (const entry of waiting.entries.slice(inMemory)) this.#offer(entry, true);
  }

  /** Resolves when nothing is under way any more. */
  async #stop(): Promise<OnlyHere<T>> {
    this.#state = "closing";
    const store = this.#store;
    // Before what comes now.
    store?.writeTail(this.#room.tail.takeAll(), this.host.clock);
    this.#look();
    // Timers of the node may have ended already.
    if (!this.#isQuiet) await this.#quiet.within(this.options.closeMs, (ms, fn) => this.host.timer(ms, fn));
    this.#state = "ending";
    this.#lanes.stop();
    // Until then what waits in memory may not be written.
    await store?.opened;
    const left = this.#lanes.takeAll();
    for (const entry of left) this.#room.remove(entry);
    const unwritten = (await store?.close(this.#hasHeir)) ?? [];
    await this.#discarded;
    const { entries, older } = onlyHere(left, store?.spool ?? null);
    return { entries: [...entries, ...this.#entries.foundOf(unwritten, (why) => this.#drops.lost(1, this.settings.what, why))], older };
  }

  #end(): void {
    this.#state = "closed";
    this.#stopTimer();
    this.#due.stop();
    this.#uncount?.();
    this.#drops.clear();
    this.#trouble.clear(this.settings.what);
    this.#health.end();
  }
}
