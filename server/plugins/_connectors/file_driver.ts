/**
 * Lines into a file that is put aside when it is large enough: `log.jsonl`, `log.jsonl.1` (the last one put aside), `log.jsonl.2.gz` …
 *
 * All below one directory: names have no way out of it, and links are not followed.
 */
import { constants, createReadStream, createWriteStream, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Clock } from "../../core/ports.ts";
import { later, type MonoMs, reached } from "../../lib/time.ts";
import { BackendError, notWanted } from "../_backend/errors.ts";
import type { Judgement } from "../_backend/options.ts";

export interface FileTarget {
  /** It is made when it is not there. */
  directory: string;
  /** Checked by `checkName`. */
  name: string;
  maxBytes: number;
  /** That were put aside and are kept. */
  keep: number;
  gzip: boolean;
  /** What was written is on the disk before it counts as done. */
  sync: boolean;
}

const OWNERS_FILE = 0o640;
const NAME = /^(?!\.)[\w.-]{1,100}$/;
const PARTS_MAX = 8;

/** Names with slashes between them, each of letters, digits, `_`, `-` and dots, that does not begin with one. @throws Error */
export function checkName(name: string): string {
  const parts = name.split("/");
  if (parts.length > PARTS_MAX || !parts.every((part) => NAME.test(part)))
    throw new Error(
      `path: ${JSON.stringify(name.slice(0, 200))}: expected a name such as rooms/log.jsonl, of letters, digits, "_", "-" and "."`,
    );
  return name;
}

/** Something stands in the way that is none of ours. */
class InTheWay extends Error {
  override readonly name = "InTheWay";
}

/** Somebody may move the file away, or remove it: that is looked for so often, ms. */
const LOOK_MS = 1000;
/** `close` waits so long for a file that is being packed, ms; later it is packed all the same, while the process is there. */
const PACK_MS = 1000;

export class FileDriver {
  #file: FileHandle | null = null;
  #size = 0;
  #lookedAt: MonoMs | null = null;
  /** One thing at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The last one put aside is being packed. */
  #packing: Promise<void> | null = null;

  constructor(
    readonly o: FileTarget,
    private readonly clock: Pick<Clock, "mono">,
  ) {}

  get #path(): string {
    return join(this.o.directory, ...this.o.name.split("/"));
  }

  /** `wanted`: false = they come again, and are not to be there. */
  append(lines: readonly string[], wanted: () => boolean): Promise<void> {
    return this.#next(async () => {
      if (!wanted()) throw notWanted();
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
      await this.#look(LOOK_MS);
      let file = await this.#opened();
      // Names do not change under a file that is being packed: until then this one grows.
      if (this.#size > 0 && this.#size + bytes.length > this.o.maxBytes && this.#packing === null) {
        await this.#rotate();
        file = await this.#opened();
        if (this.o.gzip && this.o.keep > 0) this.#pack();
      }
      try {
        for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
        if (this.o.sync) await file.datasync();
        if (!wanted()) throw notWanted();
        this.#size += bytes.length;
      } catch (err) {
        // Part of it may be there: what is sent again begins where this did.
        await file.truncate(this.#size).catch(() => {});
        await this.#close();
        throw err;
      }
    });
  }

  /** It is there, and still the one that has the name. */
  probe(): Promise<void> {
    return this.#next(async () => {
      await this.#look(0);
      await this.#opened();
    });
  }

  async close(): Promise<void> {
    await this.#next(() => this.#close());
    if (this.#packing === null) return;
    let timer: Timer | undefined;
    await Promise.race([
      this.#packing,
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, PACK_MS);
      }),
    ]);
    clearTimeout(timer);
  }

  /** Closes a file that has not its name any more. `everyMs`: not when it was looked at so short a time ago. */
  async #look(everyMs: number): Promise<void> {
    const file = this.#file;
    const now = this.clock.mono();
    if (file === null || (this.#lookedAt !== null && !reached(later(this.#lookedAt, everyMs), now))) return;
    this.#lookedAt = now;
    const [ours, named] = [await file.stat(), await lstat(this.#path).catch(() => null)];
    if (named === null || named.ino !== ours.ino || named.dev !== ours.dev) await this.#close();
  }

  #next<T>(fn: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(fn);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    this.#size = 0;
    await file?.close();
  }

  async #opened(): Promise<FileHandle> {
    if (this.#file !== null) return this.#file;
    await this.#folders();
    const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
    const file = await open(this.#path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, OWNERS_FILE);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw new InTheWay(`${this.o.name} is no file`);
      this.#size = await whole(file, stats);
    } catch (err) {
      await file.close();
      throw err;
    }
    this.#file = file;
    this.#lookedAt = this.clock.mono();
    return file;
  }

  /** Those between the directory and the file: made when they are not there, and no links. */
  async #folders(): Promise<void> {
    await mkdir(this.o.directory, { recursive: true });
    const within = dirname(this.o.name);
    if (within === ".") return;
    let at = this.o.directory;
    for (const part of within.split("/")) {
      at = join(at, part);
      await mkdir(at).catch((err: { code?: string }) => {
        if (err.code !== "EEXIST") throw err;
      });
      if (!(await lstat(at)).isDirectory()) throw new InTheWay(`${at.slice(this.o.directory.length + sep.length)} is no directory`);
    }
  }

  /** Each one gets the next number, the oldest goes. */
  async #rotate(): Promise<void> {
    await this.#close();
    const named = (n: number, ending = ""): string => this.#aside(n) + ending;
    for (const ending of ["", ".gz"]) await rm(named(this.o.keep, ending), { force: true });
    for (let n = this.o.keep - 1; n >= 1; n--) for (const ending of ["", ".gz"]) await moved(named(n, ending), named(n + 1, ending));
    if (this.o.keep === 0) await rm(this.#path, { force: true });
    else await moved(this.#path, named(1));
  }

  #aside(n: number): string {
    return `${this.#path}.${n}`;
  }

  /** Beside what is written meanwhile: it may take longer than anybody waits for a line. */
  #pack(): void {
    this.#packing = pack(this.#aside(1)).finally(() => {
      this.#packing = null;
    });
  }
}

/** A line that has no end was cut short with the power: nobody was told that it is there. */
async function whole(file: FileHandle, { size }: Stats): Promise<number> {
  const PIECE = 64 * 1024;
  for (let end = size; end > 0; end -= PIECE) {
    const from = Math.max(0, end - PIECE);
    const piece = Buffer.alloc(end - from);
    await file.read(piece, 0, piece.length, from);
    const last = piece.lastIndexOf(0x0a);
    if (last < 0) continue;
    if (from + last + 1 < size) await file.truncate(from + last + 1);
    return from + last + 1;
  }
  await file.truncate(0);
  return 0;
}

async function moved(from: string, to: string): Promise<void> {
  await rename(from, to).catch((err: { code?: string }) => {
    if (err.code !== "ENOENT") throw err;
  });
}

/** In place of it there is a packed one then; where that cannot be made it stays as it is. */
async function pack(path: string): Promise<void> {
  const part = `${path}.part`;
  try {
    await pipeline(createReadStream(path), createGzip(), createWriteStream(part, { mode: OWNERS_FILE }));
    await rename(part, `${path}.gz`);
    await rm(path, { force: true });
  } catch {
    await rm(part, { force: true });
  }
}

export function judgeFile(err: unknown): Judgement {
  return err instanceof BackendError && err.kind === "refused" ? "refused" : "down";
}
