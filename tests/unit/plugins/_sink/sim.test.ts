/**
 * The sink against a naive model of it: random steps of everything that may happen to it, from a seed, so that what fails fails again. Calls of the disk
 * happen one by one, the power goes at any of them, in the middle of a write.
 */
import { describe, expect, test } from "bun:test";
import type { Left } from "../../../../server/plugins/_sink/left.ts";
import { PartError, SendError } from "../../../../server/plugins/_sink/types.ts";
import { Rng } from "../../../sim/rng.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";
import { type Item, type Request, World } from "./world.ts";

interface OnDisk {
  seq: number;
  item: Item;
}

/** What a start must find: the items that stand whole in a file, each once, less those that are done. Read as the table in frames.ts says. */
function standing(disk: MemoryDisk): OnDisk[] {
  const found = new Map<number, Item>();
  let last = 0;
  for (const name of [...disk.files.keys()].filter((n) => n.startsWith("segment")).sort()) {
    const buf = disk.files.get(name) as Buffer;
    for (let at = 0; at + 9 <= buf.length; ) {
      const end = at + 9 + buf.readUInt32LE(at + 4);
      if (end > buf.length || Bun.hash.crc32(buf.subarray(at + 4, end)) !== buf.readUInt32LE(at)) break;
      const body = buf.subarray(at + 9, end);
      if (buf[at + 8] === 1) {
        const seq = Number(body.readBigUInt64LE(0));
        if (seq > last) found.set(seq, JSON.parse(body.subarray(18 + body.readUInt16LE(16)).toString()) as Item);
        last = Math.max(last, seq);
      } else if (buf[at + 8] === 2)
        for (let i = 0; i < body.length; i += 12) {
          const from = Number(body.readBigUInt64LE(i));
          for (let k = 0; k < body.readUInt32LE(i + 8); k++) found.delete(from + k);
        }
      at = end;
    }
  }
  return [...found].map(([seq, item]) => ({ seq, item }));
}

const KEYS = ["a", "b", "c", "d", "e", "f", "g"];

class Run {
  world: World;
  #n = 0;
  readonly pushed = new Map<string, Item>();
  /** Of this run of the sink: pushed or found, not yet taken or given up. */
  readonly taken = new Set<string>();
  lettered = new Set<string>();
  /** Of each key, the last one that was taken in this run of the sink. */
  #last = new Map<string, number>();
  readonly #resent = new Set<string>();
  /** Sent again as letters, and the power went before that was written down. */
  readonly #twice = new Set<string>();
  droppedBefore = 0;
  /** Pushed, and never on the disk, when the power went. */
  readonly lost = new Set<string>();
  crashes = 0;
  /** How often a file could not be read. */
  unread = 0;
  /** Such a one has made room: nobody knows what was in it. */
  isUnknown = false;
  /** How often it was looked whether what waits is on the disk. */
  keptCounts = 0;
  /** It was closed while the disk failed: what of the last writes is there nobody knows, and what is counted as dropped may come after all. */
  isVague = false;
  /** Some may be nowhere but in memory. */
  isToggled = false;

  constructor(
    readonly rng: Rng,
    readonly diskMax: number,
    readonly steps: string[],
    /**
     * orderly: no power goes and no disk fails, so that everything is exact; those who take a place have other bounds. unreadable: files cannot be
     * read, and with them what says which rows are done, so that any may come again.
     */
    readonly kind: "orderly" | "any" | "unreadable",
  ) {
    this.world = this.#open(new MemoryDisk(true));
  }

  get isOrderly(): boolean {
    return this.kind === "orderly";
  }

  #open(disk: MemoryDisk): World {
    disk.part = () => this.rng.next();
    const { diskMax, rng } = this;
    const bounds = this.isOrderly
      ? { diskMax: rng.pick([diskMax, diskMax, 2 * diskMax, diskMax >> 1, 0]), rowsMax: rng.pick([5, 12, 30]) }
      : { diskMax, rowsMax: 12 };
    const hasLeft = this.isOrderly ? () => disk.files.size > 0 : undefined;
    const unwrittenMax = diskMax > 0 && rng.int(2) === 0 ? 40_000 : undefined;
    const world = new World({ ...bounds, lanes: 1 + rng.int(6), batchRows: 1 + rng.int(3), retries: 1 }, disk, hasLeft, unwrittenMax);
    world.random = () => this.rng.next();
    return world;
  }

  async step(): Promise<void> {
    const { rng, world } = this;
    const dice = rng.int(100);
    if (dice < 35) this.#push();
    else if (dice < 60) this.#answer();
    else if (dice < 82) world.disk.step();
    else if (dice < 89) await world.pass(100 * (1 + rng.int(15)));
    else if (dice === 89) await this.#handOver();
    else if (dice < 93) this.#fail();
    else if (dice < 95) world.change({ lanes: 1 + rng.int(6), batchRows: 1 + rng.int(3) });
    else if (dice < 96) this.#resend();
    else if (dice < 98 && this.isOrderly) await this.#handOver();
    else if (dice < 98 && this.diskMax > 0) await this.#crash();
    else if (dice === 98) await this.#close();
    else this.#toggle();
    await this.world.turn();
    this.#inOneLane();
  }

  /** What has one key is under way once, or it could overtake itself. */
  #inOneLane(): void {
    const underWay = this.world.requests.flatMap(({ batch }) => [...new Set(batch.items.map((i) => i.key))]);
    const twice = underWay.filter((key, i) => underWay.indexOf(key) < i);
    if (twice.length > 0) throw new Error(`${twice.join()} is under way twice`);
  }

  #fail(): void {
    const { disk } = this.world;
    if (this.isOrderly) return;
    if (this.kind === "unreadable" && this.rng.int(2) === 0) {
      const broken = this.rng.pick([null, ...disk.files.keys()]);
      this.steps.push(`cannot be read: ${broken}`);
      disk.failsRead = (name) => (name === broken ? "EIO" : null);
      return;
    }
    disk.failing = disk.failing === null ? "ENOSPC" : null;
    this.steps.push(`failing ${disk.failing}`);
  }

  #push(): void {
    const item = { key: this.rng.pick(KEYS), n: ++this.#n };
    this.steps.push(`push ${item.key}${item.n}`);
    this.pushed.set(`${item.key}${item.n}`, item);
    this.world.push(item.key, item.n, 100, this.diskMax > 0 ? this.rng.int(20_000) : 0);
  }

  /** The disk is switched off, or on again. */
  #toggle(): void {
    const diskMax = this.world.settings.diskMax > 0 ? 0 : this.diskMax;
    this.steps.push(`disk ${diskMax}`);
    this.world.change({ diskMax });
    this.isToggled = true;
  }

  /** They are out of order then, and may find no room as others. */
  #resend(): void {
    this.steps.push("resend");
    for (const name of this.world.letters) {
      this.lettered.delete(name);
      this.#resent.add(name);
    }
    this.world.sink.deadLetters.resend();
  }

  #answer(): void {
    const request = this.world.requests[this.rng.int(Math.max(1, this.world.requests.length))];
    if (request === undefined) return;
    const dice = this.rng.int(10);
    this.steps.push(`answer ${request.batch.items.map((i) => i.key + i.n).join()} ${dice}`);
    if (dice < 5) this.take(request);
    else if (dice < 7) request.answer(new SendError("away", "nobody there"));
    else if (dice < 8) request.answer(new SendError("retry", "no"));
    else if (dice < 9) request.answer(new SendError("give up", "never"));
    else this.#takePart(request);
  }

  take(request: Request): void {
    for (const item of request.batch.items) this.#took(item);
    request.answer();
  }

  #takePart(request: Request): void {
    const failed = new Map<number, SendError>();
    request.batch.items.forEach((item, i) => {
      if (this.rng.int(2) === 0) {
        failed.set(i, new SendError(this.rng.int(2) === 0 ? "retry" : "give up", "part"));
        // Those behind it in the same batch may have been taken.
        this.#resent.add(`${item.key}${item.n}`);
      } else this.#took(item);
    });
    if (failed.size > 0) request.answer(new PartError(failed));
    else request.answer();
  }

  /** Each once, and those of one key in order; a letter that is sent again is outside of it. */
  #took(item: Item): void {
    const name = `${item.key}${item.n}`;
    // That a letter was sent again may not have been written down either.
    const mayComeTwice = this.kind === "unreadable" || this.#twice.has(name) || (this.crashes > 0 && this.#resent.has(name));
    if (this.taken.has(name) && !mayComeTwice) throw new Error(`${name} was taken twice`);
    this.taken.add(name);
    if (this.kind === "unreadable" || this.#resent.has(name)) return;
    const last = this.#last.get(item.key) ?? 0;
    if (item.n < last) throw new Error(`${name} after ${item.key}${last}`);
    this.#last.set(item.key, item.n);
  }

  noteLetters(): void {
    for (const name of this.world.letters) this.lettered.add(name);
  }

  /** What stands on the disk then is what comes again, and nothing else. */
  async #crash(): Promise<void> {
    this.crashes++;
    this.steps.push("crash");
    const { world } = this;
    const isWritten = world.disk.failing === null && this.rng.int(2) === 0;
    for (let quiet = 0; isWritten && quiet < 5; quiet = world.disk.waiting === 0 ? quiet + 1 : 0) {
      world.disk.step();
      await world.turn();
      this.noteLetters();
    }
    // A full one has given some of it up.
    if (isWritten && world.report.queue.diskError === null && this.diskMax === 100_000_000 && !this.isToggled) this.#keeps();
    this.#reopen(true);
  }

  /** What counts as waiting while the disk works is there, but for what is just being sent. */
  #keeps(): void {
    const { queue } = this.world.report;
    const underWay = this.world.requests.reduce((n, { batch }) => n + batch.items.length, 0);
    const there = standing(this.world.disk).length;
    if (there < queue.rows - underWay)
      throw new Error(`${queue.rows} wait, ${underWay} of them are under way, and ${there} are on the disk`);
    this.keptCounts++;
  }

  /** In order: what comes meanwhile, and what is not sent, is on the disk then, or counted. */
  async #close(): Promise<void> {
    this.steps.push("close");
    await this.#end(this.world.sink.close());
    this.#reopen(false);
  }

  /** Another one takes its place. */
  async #handOver(): Promise<void> {
    this.steps.push("hand over");
    this.#reopen(false, await this.#end(this.world.sink.handOver()));
  }

  /** Until it has closed: more comes, and what is under way is answered. */
  async #end<R>(closing: Promise<R>): Promise<R> {
    const { world } = this;
    this.isVague ||= world.disk.failing !== null || world.report.queue.diskError !== null;
    let isClosed = false;
    void closing.then(() => {
      isClosed = true;
    });
    for (let i = 1; !isClosed; i++) {
      if (i > 3000) throw new Error(`it does not close: ${JSON.stringify(world.report)}`);
      if (i < 5) this.#push();
      this.#answer();
      world.disk.step();
      await world.turn();
      if (i % 10 === 0) await world.pass(100);
      this.noteLetters();
    }
    return closing;
  }

  /** `heirloom`: what it gets from the one that was there before, whose disk it has, too. */
  #reopen(isCrash: boolean, heirloom: Left<Item> | null = null): void {
    this.isToggled = false;
    const disk = heirloom === null ? this.world.disk.crash() : this.world.disk;
    disk.failsRead = this.world.disk.failsRead;
    const left = standing(disk);
    this.droppedBefore += this.world.report.queue.dropped;
    const errors = this.world.lines("error");
    this.unread += errors.filter((line) => /cannot be read/.test(line)).length;
    this.isUnknown ||= errors.some((line) => /has made room/.test(line));
    const there = new Set<string>();
    for (const { item } of left) {
      const name = `${item.key}${item.n}`;
      // Or both as a letter and as what it was before.
      const isTwice = there.has(name) || this.lettered.has(name);
      if (this.isOrderly && (isTwice || this.taken.has(name)) && !this.#resent.has(name))
        throw new Error(`${name} is still on the disk after an orderly end`);
      if (isTwice) this.#twice.add(name);
      there.add(name);
    }
    for (const name of this.pushed.keys()) {
      if (isCrash && !there.has(name) && !this.taken.has(name) && !this.lettered.has(name)) this.lost.add(name);
      if (there.has(name)) {
        // It may have been taken, and that was not yet written down: then it comes twice, here behind what is in memory.
        if (heirloom !== null && this.taken.has(name) && !this.isOrderly) this.#resent.add(name);
        this.taken.delete(name);
        this.lost.delete(name);
      }
    }
    for (const { item } of heirloom?.waiting.entries ?? []) {
      const name = `${item.key}${item.n}`;
      if (this.isOrderly && there.has(name)) throw new Error(`${name} is handed over, and on the disk`);
      if (there.has(name)) this.#twice.add(name);
    }
    // What was taken comes again only where that could not be written down.
    if (heirloom === null || this.isVague || isCrash) this.#last = new Map();
    const { clock } = this.world;
    this.world = this.#open(disk);
    this.world.clock.forward(clock.mono() - this.world.clock.mono() + 100);
    if (heirloom !== null) this.world.sink.inherit(heirloom);
  }

  /** Everything works again, until nothing is left. */
  async drain(): Promise<void> {
    this.world.disk.failing = null;
    this.world.disk.failsRead = () => null;
    // What could not be read the next one reads.
    if (this.kind === "unreadable") await this.#close();
    for (let quiet = 0, i = 0; quiet < 30; i++) {
      if (i > 5000) throw new Error(`it does not end: ${JSON.stringify(this.world.report)}`);
      for (let k = 0; k < 5; k++) {
        this.world.disk.step();
        await this.world.turn();
      }
      for (const r of [...this.world.requests]) this.take(r);
      await this.world.turn();
      await this.world.pass(1000);
      this.noteLetters();
      quiet = this.world.report.queue.rows === 0 && this.world.disk.waiting === 0 ? quiet + 1 : 0;
    }
  }
}

async function run(seed: number, diskMax: number, kind: Run["kind"]): Promise<Run> {
  const steps: string[] = [];
  const r = new Run(new Rng(seed), diskMax, steps, kind);
  try {
    for (let i = 0; i < 250; i++) {
      await r.step();
      r.noteLetters();
    }
    await r.drain();
    const { queue } = r.world.report;
    const over = [...r.pushed.keys()].filter((name) => !r.taken.has(name) && !r.lettered.has(name) && !r.lost.has(name));
    // What is missing was dropped, and counted.
    if (r.crashes === 0 && !r.isVague && kind !== "unreadable") expect(over.length).toBe(queue.dropped + r.droppedBefore);
    else if (!r.isUnknown) expect(over.length).toBeLessThanOrEqual(queue.dropped + r.droppedBefore);
    expect(queue).toMatchObject({ rows: 0, bytes: 0 });
    // One that is written, one that is read, one of letters.
    expect(r.world.disk.handles).toBeLessThanOrEqual(3);
    expect([r.world.log.lines.filter((l) => l.level === "error" && !/to the disk|cannot be read/.test(l.message))]).toEqual([[]]);
  } catch (err) {
    throw new Error(`seed ${seed}, disk ${diskMax}: ${(err as Error).message}\n${steps.slice(-60).join("\n")}`);
  }
  return r;
}

describe("random steps", () => {
  for (const diskMax of [0, 100_000_000, 800_000, 300_000])
    test(`with ${diskMax === 0 ? "no disk" : `${diskMax} bytes of disk`}`, async () => {
      let [crashes, lost, kept] = [0, 0, 0];
      for (let seed = 1; seed <= 120; seed++) {
        const r = await run(seed, diskMax, "any");
        crashes += r.crashes;
        lost += r.lost.size;
        kept += r.keptCounts;
      }
      if (diskMax > 0) expect(crashes).toBeGreaterThan(100);
      if (diskMax === 100_000_000) expect(kept).toBeGreaterThan(50);
      expect(lost).toBe(diskMax > 0 ? lost : 0);
    });

  for (const diskMax of [0, 100_000_000, 800_000, 300_000])
    test(`orderly, with ${diskMax === 0 ? "no disk" : `${diskMax} bytes of disk`}: nothing is lost that is not counted, nothing comes twice`, async () => {
      for (let seed = 1; seed <= 120; seed++) {
        const r = await run(seed, diskMax, "orderly");
        expect([r.crashes, r.isVague]).toEqual([0, false]);
      }
    });

  for (const diskMax of [100_000_000, 800_000])
    test(`files cannot be read, with ${diskMax} bytes of disk: nothing is lost that is not counted`, async () => {
      let unread = 0;
      for (let seed = 1; seed <= 120; seed++) unread += (await run(seed, diskMax, "unreadable")).unread;
      expect(unread).toBeGreaterThan(100);
    });
});
