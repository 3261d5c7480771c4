/** What waits in memory: counted, and bounded. Where there is no room the oldest of the fullest lane makes it. */
import type { Lanes } from "./lanes.ts";
import { Tail } from "./tail.ts";
import type { Entry, SinkHost } from "./types.ts";

/** So much may wait though the node is short of memory: what is sent at once costs it nothing, and is not kept. */
const SHORT_BYTES = 256 * 1024;

export interface RoomOwner {
  /** So many are lost. */
  dropped(rows: number): void;
  /** One of them stands on the disk, where it is not wanted any more. */
  pushedOut(seq: number): void;
}

export class Room<T> {
  rows = 0;
  bytes = 0;
  readonly tail = new Tail<T>();

  constructor(
    private readonly host: Pick<SinkHost, "memoryShort">,
    private readonly lanes: Lanes<T>,
    private readonly bounds: () => { readonly rowsMax: number; readonly bytesMax: number },
    private readonly owner: RoomOwner,
  ) {}

  /** What comes takes the place of what is there. */
  get #isShort(): boolean {
    return this.host.memoryShort === true && this.bytes > SHORT_BYTES;
  }

  add(entry: Entry<T>): void {
    this.rows++;
    this.bytes += entry.bytes;
  }

  /** It has left its lane, whichever way. */
  remove(entry: Entry<T>): void {
    this.lanes.left(entry.key);
    this.tail.left(entry);
    this.rows--;
    this.bytes -= entry.bytes;
  }

  /** Without pushing out anything. */
  fits(bytes: number): boolean {
    const { rowsMax, bytesMax } = this.bounds();
    return this.rows < rowsMax && this.bytes + bytes <= bytesMax && !this.#isShort;
  }

  /** Of what waits elsewhere half of this may come at a time: while the node is short of memory that is little. */
  get readable(): { readonly rowsMax: number; readonly bytesMax: number } {
    const { rowsMax, bytesMax } = this.bounds();
    return { rowsMax, bytesMax: this.host.memoryShort === true ? Math.min(bytesMax, 2 * SHORT_BYTES) : bytesMax };
  }

  /** Half of it is free: it may come. */
  get isHalfFree(): boolean {
    const { rowsMax, bytesMax } = this.readable;
    return this.rows <= rowsMax / 2 && this.bytes <= bytesMax / 2;
  }

  /** The oldest of the fullest lane goes, until there is. False = there cannot be, and that is counted. */
  make(bytes: number): boolean {
    const { rowsMax, bytesMax } = this.bounds();
    if (bytes > bytesMax) {
      this.owner.dropped(1);
      return false;
    }
    let dropped = 0;
    const isShort = this.#isShort;
    while (this.rows >= rowsMax || this.bytes + bytes > bytesMax || (isShort && dropped === 0)) {
      const entry = this.lanes.dropOldest();
      if (entry === undefined) {
        // All of it is under way.
        this.owner.dropped(dropped + 1);
        return false;
      }
      this.remove(entry);
      if (entry.seq > 0) this.owner.pushedOut(entry.seq);
      dropped++;
    }
    this.owner.dropped(dropped);
    return true;
  }
}
