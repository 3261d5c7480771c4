/**
 * What goes out to somebody else, who may be slow, or away: nobody who gives something waits, and what belongs together (one key) arrives in order.
 *
 * An item is in memory, in a lane (lane.ts), on the disk (spool.ts), or both, until it was taken or given up (letters.ts). With a disk everything is
 * written there in the turn it came, and what memory has no room for is read from there later, in order; without one the oldest of the fullest lane
 * makes room. The sink alone counts what is there, and owns what is called by time.
 */
import { wordsOf } from "../../lib/errors.ts";
import { later, type MonoMs } from "../../lib/time.ts";
import type { DeadLetters } from "../actions.ts";
import type { ServerReport } from "../reports.ts";
import type { Disk } from "./disk.ts";
import { DiskTrouble } from "./disk_trouble.ts";
import { Drops } from "./drops.ts";
import { Due } from "./due.ts";
import { Health } from "./health.ts";
import type { LaneOwner } from "./lane.ts";
import { Lanes } from "./lanes.ts";
import { Letters } from "./letters.ts";
import { Quiet } from "./quiet.ts";
import { Room } from "./room.ts";
import { SinkStore } from "./store.ts";
import type { Entry, SinkHost, SinkOptions, SinkSettings, Stored } from "./types.ts";

const TICK_MS = 100;
/** What an item costs beside what its giver says. */
const ENTRY_BYTES = 150;
/** Read from the disk at a time. */
const READ_ROWS = 1000;

export class Sink<T> {
  #settings: SinkSettings<T>;
  readonly #host: SinkHost;
  readonly #options: SinkOptions<T>;
  readonly #lanes: Lanes<T>;
  readonly #due: Due;
  readonly #room: Room<T>;
  #order = 0;
  readonly #health: Health;
  readonly #drops: Drops;
  readonly #letters: Letters<T>;
  #store: SinkStore<T> | null = null;
  #isReading = false;
  readonly #trouble: DiskTrouble;
  #state: "open" | "closing" | "closed" = "open";
  #sent = 0;
  #gaveUp = 0;
  #torn = 0;
  readonly #stopTimer: () => void;
  readonly #uncount: (() => void) | undefined;
  readonly #quiet = new Quiet();

  constructor(
    host: SinkHost,
    options: SinkOptions<T>,
    settings: SinkSettings<T>,
    /** Of a directory, by its path. */
    private readonly diskAt: (path: string) => Disk,
  ) {
    this.#host = host;
    this.#options = options;
    this.#settings = settings;
    const suffix = options.alarmSuffix ?? "";
    this.#health = new Health(host, settings.what, options.alarm);
    this.#drops = new Drops(host, `dropped${suffix}`);
    this.#trouble = new DiskTrouble(host, `disk${suffix}`);
    this.#letters = this.#makeLetters();
    this.#due = new Due(
      host,
      () => this.#step(),
      () => this.#look(),
    );
    this.#lanes = new Lanes(this.#makeOwner());
    this.#room = new Room<T>(
      host,
      this.#lanes,
      () => this.#settings,
      (rows) => this.#dropped(rows),
    );
    if (settings.diskMax > 0 || options.hasLeft?.() === true) this.#openStore();
    this.#stopTimer = host.every(TICK_MS, () => this.#tick());
    this.#uncount = host.countWaiting?.(() => this.#memory);
  }

  get deadLetters(): DeadLetters {
    return this.#letters;
  }
  /** Take an item: never waits, never throws. `key`: what has the same one arrives in order. `bytes`: what it takes in memory. */
  push(item: T, key: string, bytes: number): void {
    try {
      if (this.#state === "open") this.#take(item, key, bytes + key.length + ENTRY_BYTES);
      else if (this.#state === "closed" || !this.#keep(item, key)) this.#dropped(1);
    } catch (err) {
      this.#host.log.error("an item cannot be queued", { server: this.#settings.what, error: wordsOf(err) });
      this.#dropped(1);
    }
  }

  #take(item: T, key: string, bytes: number): void {
    // Behind what waits on the disk it waits there, too.
    if (this.#store !== null && (this.#settings.diskMax > 0 || !this.#isCaughtUp)) this.#takeOnDisk(this.#store, item, key, bytes);
    else if (this.#room.make(bytes)) this.#admit(item, key, bytes, this.#host.clock.mono(), 0);
  }

  /** Everything that waits is in memory. What is being read is not yet. */
  get #isCaughtUp(): boolean {
    return !this.#isReading && (this.#store?.spool.caughtUp ?? true);
  }

  #takeOnDisk({ spool }: SinkStore<T>, item: T, key: string, bytes: number): void {
    const isLoaded = this.#isCaughtUp && this.#room.fits(bytes);
    const seq = spool.append(this.#host.clock.now(), key, this.#options.codec.encode(item), isLoaded);
    if (isLoaded) this.#admit(item, key, bytes, this.#host.clock.mono(), seq ?? 0);
    // The disk does not keep up, or fails: what came before has to go first.
    else if (seq === null) this.#dropped(1);
    this.#soon();
  }

  /** It closes, and the disk has what comes until then. False = there is none, or it does not take it. */
  #keep(item: T, key: string): boolean {
    if (this.#store === null || this.#settings.diskMax === 0) return false;
    return this.#store.spool.append(this.#host.clock.now(), key, this.#options.codec.encode(item), false) !== null;
  }

  #admit(item: T, key: string, bytes: number, since: MonoMs, seq: number): void {
    const entry = { key, item, bytes, order: ++this.#order, since, seq, sends: 0, tries: 0 };
    this.#lanes.add(entry);
    this.#room.add(entry);
    this.#soon();
  }

  #dropped(rows: number): void {
    if (rows === 0) return;
    this.#drops.add(rows, this.#settings.what);
    this.#host.dropped?.(rows);
  }

  // ---- time

  #soon(): void {
    this.#due.soon();
  }

  #step(): void {
    this.#store?.spool.flush();
    if (!this.#mayBegin) return;
    this.#lanes.step(this.#host.clock.mono());
    this.#readOn();
  }

  /** Time is over for somebody. */
  #look(): void {
    this.#lanes.touchAll();
    this.#step();
  }

  /** Nothing new is sent: what is on the disk is safe there, as long as the disk takes it. */
  get #isStopping(): boolean {
    return this.#state === "closing" && this.#settings.diskMax > 0 && this.#trouble.why === null;
  }

  #tick(): void {
    const now = this.#host.clock.mono();
    this.#health.tick(now);
    this.#drops.tick(now, this.#settings.what);
    this.#lanes.tick(now, this.#mayBegin);
    this.#store?.spool.tick(now);
    this.#store?.tickLetters();
    this.#readOn();
    this.#endStore();
  }

  get #mayBegin(): boolean {
    return this.#state !== "closed" && !this.#isStopping;
  }
  get #isQuiet(): boolean {
    return this.#isStopping ? this.#lanes.sending === 0 : this.#lanes.isQuiet;
  }
  // ---- lanes

  #makeOwner(): LaneOwner<T> {
    return {
      settings: () => this.#settings,
      isClosing: () => this.#state !== "open",
      isDown: () => this.#health.isDown,
      now: () => this.#host.clock.mono(),
      random: () => this.#host.random(),
      // What takes longer the tick sees.
      due: (at) => {
        if (at - this.#host.clock.mono() < TICK_MS) this.#due.at(at);
      },
      began: (again) => this.#health.began(again),
      taken: (entries, ms) => {
        this.#sent += entries.length;
        for (const entry of entries) this.#room.remove(entry);
        this.#written(entries);
        this.#host.done?.(entries.length, ms);
        if (this.#health.taken(ms)) this.#wake();
      },
      gaveUp: (entries, why) => this.#toLetters(entries, why),
      failed: (lane, err, isTimeout) => {
        const counts = this.#health.countsAgainst(lane, err, this.#settings.backoffMostMs);
        if (this.#health.failed(err, isTimeout, this.#settings.retries)) this.#wake();
        return counts;
      },
      settled: (lane) => {
        this.#lanes.touch(lane);
        // Nobody waits here: the answer's own turn is as good as a later one.
        if (this.#mayBegin) this.#lanes.step(this.#host.clock.mono());
        if (this.#isQuiet) this.#quiet.is();
        if (this.#store !== null) this.#soon();
      },
    };
  }

  #written(entries: readonly Entry<T>[]): void {
    const seqs = entries.flatMap(({ seq }) => (seq > 0 ? [seq] : []));
    if (seqs.length > 0) this.#store?.spool.done(seqs);
  }

  #wake(isAnother = false): void {
    this.#lanes.wake(isAnother);
    this.#soon();
  }
  /** What is on the disk is done there when the letter is. */
  #toLetters(entries: readonly Entry<T>[], why: string): void {
    this.#gaveUp += entries.length;
    for (const entry of entries) this.#room.remove(entry);
    this.#host.failed?.(entries.length, why);
    const at = this.#host.clock.now();
    const store = this.#store;
    for (const entry of entries) {
      const { key, item, bytes, sends, seq } = entry;
      this.#letters.add({ at, why, tries: sends, key, item, bytes });
      if (seq > 0) void store?.lettersWritten().then(() => store.spool.done([seq]));
    }
  }

  #makeLetters(): Letters<T> {
    return new Letters<T>({
      bounds: () => this.#settings,
      shown: (item) => this.#options.shown(item),
      again: ({ item, key, bytes }) => this.push(item, key, Math.max(0, bytes - key.length - ENTRY_BYTES)),
      added: (letter) => void this.#store?.addLetter(letter),
      removed: (ids) => this.#store?.removeLetters(ids),
    });
  }

  // ---- the disk

  #openStore(): void {
    if (this.#store !== null || this.#options.directory === null) return;
    const host = this.#host;
    const settings = (): SinkSettings<T> => this.#settings;
    this.#store = new SinkStore<T>(
      this.diskAt(this.#options.directory()),
      {
        now: () => host.clock.mono(),
        wall: () => host.clock.now(),
        get diskMax() {
          return settings().diskMax;
        },
        trouble: (of, why) => this.#trouble.is(of, why, this.#settings.what),
        readable: () => this.#readOn(),
        lost: (rows) => this.#dropped(rows),
        torn: (file, bytes) => {
          this.#torn += bytes;
          host.log.warn("the end of a file was cut off: it was not written to its end", { server: this.#settings.what, file, bytes });
        },
      },
      this.#options.codec,
      this.#letters,
    );
  }

  /** Half of memory is free for what waits on the disk. */
  #readOn(): void {
    const store = this.#store;
    const { rowsMax, bytesMax } = this.#settings;
    if (store === null || this.#state !== "open" || this.#isReading || store.spool.caughtUp || !this.#room.isHalfFree) return;
    this.#isReading = true;
    void store.spool.read(Math.min(READ_ROWS, Math.max(1, rowsMax >> 1)), Math.max(1, bytesMax >> 1)).then((found) => {
      this.#isReading = false;
      if (this.#state !== "open") {
        this.#dropped(store.spool.unload(found.map(({ seq }) => seq)));
        return;
      }
      for (const stored of found) this.#restore(store, stored);
      if (found.length > 0) this.#soon();
    });
  }

  #restore(store: SinkStore<T>, { seq, at, key, item }: Stored): void {
    const { clock } = this.#host;
    try {
      const age = Math.max(0, clock.now() - at);
      this.#admit(this.#options.codec.decode(item), key, item.length + key.length + ENTRY_BYTES, later(clock.mono(), -age), seq);
    } catch (err) {
      this.#host.log.error("an item on the disk cannot be read", { server: this.#settings.what, error: wordsOf(err) });
      store.spool.done([seq]);
      this.#dropped(1);
    }
  }

  /** The disk is not wanted any more, and nobody needs what is on it. */
  #endStore(): void {
    const store = this.#store;
    if (store === null || this.#settings.diskMax > 0 || this.#state !== "open" || !store.spool.isEmpty) return;
    this.#store = null;
    void store.discard();
  }

  // ---- its life
  /** Somebody has looked whether the other side is there, while nothing was sent; null = it is. */
  seen(err: string | null): void {
    if (this.#health.seen(err)) this.#wake();
  }

  /** Other settings, at once; other lanes when nothing is under way, so that the order stays. */
  change(settings: SinkSettings<T>): void {
    const before = this.#settings;
    this.#settings = settings;
    const isAnother = settings.what !== before.what;
    if (isAnother) this.#health.rename(settings.what);
    if (settings.diskMax > 0) this.#openStore();
    this.#letters.bound();
    this.#wake(isAnother);
    this.#lanes.resize();
    this.#lanes.touchAll();
  }

  get waiting(): { rows: number; bytes: number } {
    return { rows: this.#room.rows + (this.#store?.spool.unread ?? 0), bytes: this.#room.bytes };
  }

  get #memory(): number {
    return this.#room.bytes + this.#letters.bytes + (this.#store?.spool.unwritten ?? 0);
  }

  report(): ServerReport {
    const { rows } = this.waiting;
    const s = this.#settings;
    return {
      ...this.#health.shown(s.what),
      running: this.#lanes.sending,
      waiting: rows,
      pool: s.lanes,
      queue: {
        rows,
        bytes: this.#room.bytes,
        diskBytes: this.#store?.spool.bytes ?? 0,
        sent: this.#sent,
        dropped: this.#drops.count,
        gaveUp: this.#gaveUp,
        letters: this.#letters.count,
        torn: this.#torn,
        diskError: this.#trouble.why,
      },
    };
  }

  /** What waits is sent for a moment more. What is on the disk stays there, anything else is counted as dropped. */
  async close(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#look();
    // Timers of the node may have ended already.
    if (!this.#isQuiet) await this.#quiet.within(this.#options.closeMs, (ms, fn) => this.#host.timer(ms, fn));
    this.#lanes.stop();
    const left = this.#lanes.takeAll();
    const onDisk = left.flatMap(({ seq }) => (seq > 0 ? [seq] : []));
    const onlyHere = left.length - onDisk.length + (this.#store?.spool.unload(onDisk) ?? 0);
    if (onlyHere > 0) {
      this.#host.log.warn("the queue was not empty at the end", { server: this.#settings.what, dropped: onlyHere });
      this.#dropped(onlyHere);
    }
    for (const entry of left) this.#room.remove(entry);
    this.#dropped((await this.#store?.close()) ?? 0);
    this.#state = "closed";
    this.#stopTimer();
    this.#due.stop();
    this.#uncount?.();
    this.#drops.clear();
    this.#trouble.clear(this.#settings.what);
    this.#health.end();
  }
}
