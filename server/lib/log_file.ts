/** A log file of bounded size: when it is full it becomes `<file>.1`, the former `.1` becomes `.2`, and so on. */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** Lines wait at most so long, or until so many characters, unless they are urgent. */
const FLUSH_MS = 200;
const FLUSH_CHARS = 64 * 1024;

export class RotatingFile {
  #fd: number;
  #size: number;
  #waiting = "";
  #timer: ReturnType<typeof setTimeout> | null = null;

  /**
   * `maxBytes` of one file and `count` of files, the current one included; every file begins with `head`. Makes the directory.
   * @throws when the file cannot be opened, e.g. EACCES
   */
  constructor(
    readonly path: string,
    private readonly maxBytes: number,
    private readonly count: number,
    private readonly head = "",
  ) {
    mkdirSync(dirname(path), { recursive: true });
    this.#fd = openSync(path, "a", 0o640);
    this.#size = this.#begin();
  }

  /** @throws when the disk fails; what was waiting is lost then, as a log must not fill the memory. */
  write(line: string, urgent: boolean): void {
    this.#waiting += line;
    if (urgent || this.#waiting.length >= FLUSH_CHARS) this.flush();
    else this.#timer ??= this.#later();
  }

  flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#waiting === "") return;
    const bytes = Buffer.from(this.#waiting);
    this.#waiting = "";
    if (this.#size > 0 && this.#size + bytes.length > this.maxBytes) this.#rotate();
    let at = 0;
    while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
    this.#size += bytes.length;
  }

  close(): void {
    try {
      this.flush();
    } finally {
      closeSync(this.#fd);
    }
  }

  /** Bytes of the file, its head included. */
  #begin(): number {
    const { size } = fstatSync(this.#fd);
    return size > 0 || this.head === "" ? size : writeSync(this.#fd, this.head);
  }

  #later(): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => {
      try {
        this.flush();
      } catch {
        // The disk is full or gone: the next urgent line tells the caller.
      }
    }, FLUSH_MS);
    timer.unref();
    return timer;
  }

  #rotate(): void {
    for (let n = this.count - 1; n >= 1; n--) {
      try {
        renameSync(n === 1 ? this.path : `${this.path}.${n - 1}`, `${this.path}.${n}`);
      } catch {
        // Not that many files yet, or the directory is no longer ours: then the current file goes on.
      }
    }
    const next = openSync(this.path, this.count > 1 ? "a" : "w", 0o640);
    closeSync(this.#fd);
    this.#fd = next;
    this.#size = this.#begin();
  }
}
