/** A directory in memory that does what it is asked only when the test lets it, fails when it is told to, and loses power at any byte. */
import type { Disk, DiskFile } from "../../server/plugins/_sink/disk.ts";

export class MemoryDisk implements Disk {
  /** What is on it. */
  readonly files = new Map<string, Buffer>();
  /** Waiting calls, oldest first. */
  #calls: (() => void)[] = [];
  /** What the next calls that write are told; null = they work. A part of what they were given may be there all the same. */
  failing: string | null = null;
  /** Of which files that is true. */
  failingFiles = /./;
  /** Code of the system's error for whoever opens a file; null = it can be opened. */
  refuses: (name: string) => string | null = () => null;
  /** The same for whoever reads one, from that offset. */
  failsRead: (name: string, offset: number) => string | null = () => null;
  /** The same for whoever lists them. */
  refusesList: string | null = null;
  /** A disk that is full may still take the name of a file. */
  createFails = true;
  /** Files that are open. */
  handles = 0;
  /** How much of a write that fails, or is cut off, is there: 0 to 1. */
  part: () => number = () => 0.5;
  #gone = false;

  /** `manual`: calls wait for `step`. */
  constructor(readonly manual = false) {}

  get waiting(): number {
    return this.#calls.length;
  }

  /** Let the oldest call happen. */
  step(): void {
    this.#calls.shift()?.();
  }

  /** The power goes: of a write that waits a part is there, nothing else happens any more. Returns what the next start finds. */
  crash(): MemoryDisk {
    this.#tearing = true;
    for (const call of this.#calls.splice(0, 1)) call();
    this.#gone = true;
    this.#calls = [];
    const next = new MemoryDisk(this.manual);
    for (const [name, bytes] of this.files) next.files.set(name, Buffer.from(bytes));
    next.part = this.part;
    return next;
  }
  #tearing = false;

  #call<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (): void => {
        if (this.#gone) return;
        try {
          resolve(work());
        } catch (err) {
          reject(err as Error);
        }
      };
      if (this.manual) this.#calls.push(run);
      else queueMicrotask(run);
    });
  }

  #write(name: string, bytes: Uint8Array): void {
    const before = this.files.get(name) ?? Buffer.alloc(0);
    const fails = this.#fails(name) || this.#tearing;
    const there = fails ? bytes.subarray(0, Math.floor(bytes.length * this.part())) : bytes;
    this.files.set(name, Buffer.concat([before, there]));
    if (fails) throw new Error(this.failing ?? "no power");
  }

  #fails(name: string): boolean {
    return this.failing !== null && this.failingFiles.test(name);
  }

  list(): Promise<string[]> {
    return this.#call(() => {
      if (this.refusesList !== null) throw Object.assign(new Error(this.refusesList), { code: this.refusesList });
      return [...this.files.keys()];
    });
  }

  create(name: string): Promise<DiskFile> {
    return this.#call(() => {
      if (this.#tearing) throw new Error("no power");
      if (this.#fails(name) && this.createFails) throw new Error(this.failing ?? "");
      this.files.set(name, Buffer.alloc(0));
      return this.#file(name);
    });
  }

  open(name: string): Promise<DiskFile> {
    return this.#call(() => {
      const code = this.refuses(name);
      if (code !== null) throw Object.assign(new Error(`${code}: ${name}`), { code });
      return this.#file(name);
    });
  }

  sizeOf(name: string): Promise<number> {
    return this.#call(() => this.files.get(name)?.length ?? 0);
  }

  remove(name: string): Promise<void> {
    return this.#call(() => {
      if (!this.#tearing) this.files.delete(name);
    });
  }

  #file(name: string): DiskFile {
    const bytes = (): Buffer => {
      const found = this.files.get(name);
      if (found === undefined) throw new Error(`ENOENT: ${name}`);
      return found;
    };
    let size = bytes().length;
    let isOpen = true;
    this.handles++;
    return {
      get size() {
        return size;
      },
      append: (more) => {
        const copy = Buffer.from(more);
        return this.#call(() => {
          this.#write(name, copy);
          size += copy.length;
        });
      },
      read: (offset, length) =>
        this.#call(() => {
          const code = this.failsRead(name, offset);
          if (code !== null) throw Object.assign(new Error(`${code}: ${name}`), { code });
          return new Uint8Array(bytes().subarray(offset, offset + length));
        }),
      sync: () => this.#call(() => {}),
      close: () =>
        this.#call(() => {
          if (isOpen) this.handles--;
          isOpen = false;
        }),
    };
  }
}
