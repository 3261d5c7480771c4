/** A file of frames from one end to the other, in pieces that hold nobody up. */
import type { DiskFile } from "./disk.ts";
import { type Frame, frameAt } from "./frames.ts";

/** Read at a time. */
const PIECE = 256 * 1024;

export interface Placed {
  readonly frame: Frame;
  /** Where it begins and ends. */
  readonly from: number;
  readonly to: number;
}

/**
 * The frames from `offset` up to `end`, a piece at a time. What is no frame, such as the torn tail that a kill leaves, ends it, and `torn` is told where.
 * @throws Error of the system
 */
export async function* pieces(file: DiskFile, offset: number, end: number, torn: (offset: number) => void): AsyncGenerator<Placed[]> {
  let at = offset;
  let want = PIECE;
  while (at < end) {
    const length = Math.min(want, end - at);
    const bytes = await file.read(at, length);
    const found: Placed[] = [];
    let next = 0;
    let isTorn = bytes.length < length;
    want = PIECE;
    while (next < bytes.length) {
      const here = frameAt(bytes, next);
      if (here === null || !("frame" in here)) {
        // The rest of it lies in the next piece, if there is one.
        isTorn ||= here === null || at + next + here.more > end;
        if (here !== null) want = Math.max(PIECE, here.more);
        break;
      }
      found.push({ frame: here.frame, from: at + next, to: at + here.end });
      next = here.end;
    }
    if (found.length > 0) yield found;
    at += next;
    if (isTorn) {
      torn(at);
      return;
    }
  }
}
