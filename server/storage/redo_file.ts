/**
 * The redo log's files. A record is the operations of one commit, written at once; one that a kill has cut short is found by its checksum.
 *
 * | bytes | of a record's head, little-endian                                         |
 * | ----- | ------------------------------------------------------------------------- |
 * | 4     | "BMR1"                                                                    |
 * | 4     | CRC-32 of everything behind                                               |
 * | 8     | id of the log: another one for each opening, known to the database alone  |
 * | 8     | number of the record, counting up by one                                  |
 * | 4 + 4 | bytes of operations, 0                                                    |
 *
 * There are two files, written in turns. With a new batch the log goes on at the beginning of the other file, whose records the database
 * has had for longer; the database's own commit must have reached the disk before the first file is used again. Nothing is cut
 * off: records of former turns, which lie behind, have smaller numbers.
 */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../core/ports.ts";
import { FileSync } from "./file_sync.ts";
import { sizeOf, syncDirectory } from "./files.ts";
import { HEAD } from "./redo_ops.ts";

const MAGIC = "BMR1";
/** From so many bytes on the batch goes to the database: a start after kill -9 applies about as much. */
const LONG = 8 * 1024 * 1024;
/** A file is not to grow beyond this while the other one waits for the disk. */
const CROWDED = 64 * 1024 * 1024;
const NAMES = ["baomq.redo-0", "baomq.redo-1"] as const;

export const namesIn = (dir: string): string[] => NAMES.map((n) => join(dir, n));

/** What the database says of its log. */
export interface RedoState {
  /** 16 hexadecimal digits. */
  id: string;
  /** Number of the last record whose operations it has. */
  applied: number;
}

class RedoFile {
  readonly fd: number;
  readonly sync: FileSync;
  /** Where the next record goes. */
  at = 0;
  /** The database has its records, on the disk. */
  free = true;
  /** There are records that no sync has begun for. */
  unsynced = false;

  constructor(
    readonly name: string,
    log: Log,
  ) {
    this.fd = openSync(name, "w", 0o600);
    this.sync = new FileSync(name, log);
  }

  close(): void {
    this.sync.close();
    closeSync(this.fd);
  }
}

export class RedoFiles {
  /** Number of the last record. */
  number = 0;
  readonly #id: Buffer;
  readonly #files: [RedoFile, RedoFile];
  #active = 0;
  /** Bytes since the last batch was closed. */
  #since = 0;

  /** Both are begun anew. */
  constructor(dir: string, id: string, log: Log) {
    this.#id = Buffer.from(id, "hex");
    const [a, b] = namesIn(dir) as [string, string];
    this.#files = [new RedoFile(a, log), new RedoFile(b, log)];
    syncDirectory(dir);
  }

  /** So much is written that the batch should go to the database. */
  get long(): boolean {
    return this.#since >= LONG;
  }

  /** `record`: room for the head, then the operations. `later`: on the disk within a second; otherwise by a `sync`. @throws what the system says */
  append(record: Buffer, later: boolean): void {
    const file = this.#file;
    // A record that could not be written whole has had its number, too.
    this.number++;
    seal(record, this.#id, this.number);
    for (let done = 0; done < record.length; ) done += writeSync(file.fd, record, done, record.length - done, file.at + done);
    // The system tells of a failure once: whoever asks for a sync has to be the one who hears of it.
    if (later) file.sync.later();
    file.unsynced = true;
    file.at += record.length;
    this.#since += record.length;
  }

  /**
   * What was committed last is in the database alone, and has had its number: whoever finds the records behind it without it (the power went
   * before the database was on the disk) finds a gap, and does not apply them to what they do not belong to.
   */
  pass(): void {
    this.number++;
  }

  /**
   * The batch is closed: the records so far are those of this batch, or of earlier ones. The log goes on in the other file, if that is free.
   * To be called once the database has the batch on the disk: then this one is.
   */
  turn(): () => void {
    const file = this.#file;
    const other = this.#files[1 - this.#active] as RedoFile;
    this.#since = 0;
    if (file.at === 0 || !other.free) return () => {};
    file.free = false;
    this.#active = 1 - this.#active;
    other.at = 0;
    return () => {
      file.free = true;
    };
  }

  /** The other file waits for the disk while this one grows. */
  get crowded(): boolean {
    return this.#file.at >= CROWDED;
  }

  /** What no sync has begun for is on the disk within a second. */
  later(): void {
    for (const f of this.#files) if (f.unsynced) f.sync.later();
  }

  /** Bring every record to the disk, off the main thread. `done` gets what the system says, in a later turn. */
  sync(done: (err: Error | null) => void): void {
    const files = this.#files.filter((f) => f.unsynced);
    let left = files.length;
    let failure: Error | null = null;
    if (left === 0) setImmediate(done, null);
    for (const f of files) {
      f.unsynced = false;
      f.sync.soon((err) => {
        failure ??= err;
        if (--left === 0) done(failure);
      });
    }
  }

  /** The same, and wait for it, and for what another one has begun. @throws what the system says */
  syncNow(): void {
    for (const f of this.#files) {
      f.unsynced = false;
      f.sync.now();
    }
  }

  /** `whole`: the database has everything. */
  close(whole: boolean): void {
    for (const f of this.#files) {
      f.close();
      if (whole) rmSync(f.name, { force: true });
    }
  }

  get #file(): RedoFile {
    return this.#files[this.#active] as RedoFile;
  }
}

function seal(record: Buffer, id: Buffer, number: number): void {
  record.write(MAGIC, 0, "latin1");
  id.copy(record, 8);
  record.writeDoubleLE(number, 16);
  record.writeUInt32LE(record.length - HEAD, 24);
  record.writeUInt32LE(0, 28);
  record.writeUInt32LE(Bun.hash.crc32(record.subarray(8)), 4);
}

/** What is found in the files at a start. */
export interface RedoFound {
  /** Operations of the records that the database does not have, in order, without a gap. */
  records: Buffer[];
  /** Records behind a gap, which cannot be applied. */
  lost: number;
  /** The last one is not whole, as a crash in the middle of writing it leaves it. */
  unfinished: boolean;
  /** There are records of another database, or of an earlier opening. */
  foreign: boolean;
}

export function readRedo(dir: string, state: RedoState): RedoFound {
  const id = Buffer.from(state.id, "hex");
  const found: RedoFound = { records: [], lost: 0, unfinished: false, foreign: false };
  const later = new Map<number, Buffer>();
  const broken: number[] = [];
  for (const name of namesIn(dir)) {
    if (sizeOf(name) <= 0) continue;
    scan(readFileSync(name), id, found, broken, (number, operations) => {
      if (number > state.applied) later.set(number, operations);
    });
  }
  for (let n = state.applied + 1; later.has(n); n++) found.records.push(later.get(n) as Buffer);
  found.lost = later.size - found.records.length;
  found.unfinished = found.lost === 0 && broken.includes(state.applied + found.records.length + 1);
  return found;
}

/** Every whole record of the log, wherever it lies: what is damaged is passed over. `broken` gets the numbers of records that are not whole. */
function scan(file: Buffer, id: Buffer, found: RedoFound, broken: number[], take: (number: number, operations: Buffer) => void): void {
  for (let at = file.indexOf(MAGIC); at >= 0 && at + HEAD <= file.length; at = file.indexOf(MAGIC, at + 1)) {
    if (!file.subarray(at + 8, at + 16).equals(id)) {
      found.foreign = true;
      continue;
    }
    const number = file.readDoubleLE(at + 16);
    const end = at + HEAD + file.readUInt32LE(at + 24);
    if (end > file.length || Bun.hash.crc32(file.subarray(at + 8, end)) !== file.readUInt32LE(at + 4)) {
      broken.push(number);
      continue;
    }
    take(number, file.subarray(at + HEAD, end));
    at = end - 1;
  }
}
