/** The files of one directory, as a spool needs them: nothing here holds the event loop for long. Tests have a twin of it in memory that fails and tears. */
import { constants, writeSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";

export interface DiskFile {
  /** Bytes that are there. */
  readonly size: number;
  /** Behind what is there. @throws Error of the system; then nobody knows what is there, and nothing more is to be appended */
  append(bytes: Uint8Array): Promise<void>;
  /** Less than `length` at the end of the file. @throws Error of the system */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** What is there stays there when the power goes. @throws Error of the system */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface Disk {
  /** Names of its files. */
  list(): Promise<string[]>;
  /** A new file for appending; one of that name is emptied. @throws Error of the system; then none is left, as far as that can be */
  create(name: string): Promise<DiskFile>;
  /** One that is there, for reading. @throws Error of the system */
  open(name: string): Promise<DiskFile>;
  /** Bytes of one, also where it cannot be opened. @throws Error of the system */
  sizeOf(name: string): Promise<number>;
  remove(name: string): Promise<void>;
}

/** There will be files, or memory, again. */
export const isPassing = (err: unknown): boolean => ["EMFILE", "ENFILE", "ENOMEM"].includes((err as { code?: string }).code ?? "");

/**
 * What a turn brings is this much at most, as a rule: written on the spot, into the system's memory, it takes some microseconds, and is there when the
 * process is killed. More goes by another thread.
 */
const AT_ONCE = 256 * 1024;
/** Nobody else may read what was published. */
const OWNERS_FILE = 0o600;
const OWNERS_DIRECTORY = 0o700;

export class Directory implements Disk {
  constructor(private readonly path: string) {}

  async list(): Promise<string[]> {
    await mkdir(this.path, { recursive: true, mode: OWNERS_DIRECTORY });
    return readdir(this.path);
  }

  async create(name: string): Promise<DiskFile> {
    const { O_RDWR, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const handle = await open(join(this.path, name), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, OWNERS_FILE);
    try {
      await this.#sync();
    } catch (err) {
      await handle.close().catch(() => {});
      // Nobody knows of it: each try would leave another one.
      await this.remove(name).catch(() => {});
      throw err;
    }
    return new OpenFile(handle, 0);
  }

  async open(name: string): Promise<DiskFile> {
    const handle = await open(join(this.path, name), constants.O_RDONLY);
    return new OpenFile(handle, (await handle.stat()).size);
  }

  async sizeOf(name: string): Promise<number> {
    return (await stat(join(this.path, name))).size;
  }

  remove(name: string): Promise<void> {
    return unlink(join(this.path, name));
  }

  /** The name of a new file, too, is to be there when the power goes. */
  async #sync(): Promise<void> {
    const handle = await open(this.path, constants.O_RDONLY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

class OpenFile implements DiskFile {
  constructor(
    private readonly handle: FileHandle,
    public size: number,
  ) {}

  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const [left, at] = [bytes.length - done, this.size + done];
      if (bytes.length <= AT_ONCE) done += writeSync(this.handle.fd, bytes, done, left, at);
      else done += (await this.handle.write(bytes, done, left, at)).bytesWritten;
    }
    this.size += bytes.length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  async sync(): Promise<void> {
    await this.handle.datasync();
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
