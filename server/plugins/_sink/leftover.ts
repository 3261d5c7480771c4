/** What a former run has left of a spool: every file of it is read once, at the start. */
import { wordsOf } from "../../lib/errors.ts";
import type { Disk } from "./disk.ts";
import { pieces } from "./scan.ts";
import { Segment, SPREAD_MAX } from "./segment.ts";
import type { SpoolOwner } from "./types.ts";

export interface Leftover {
  /** In order. Of those that could not be read nothing is known (`kept`). */
  readonly segments: Segment[];
  /** Behind the number of any item, resp. any file, also of those that could not be read. */
  lastSeq: number;
  nextSegment: number;
}

/** Numbers in a millisecond, at most: for whoever knows nothing of those that are taken but that they are older than now. */
const PER_MS = 1000;

/** Never rejects: what cannot be read is told, and stays for a later start. */
export async function leftoverOn(disk: Disk, owner: Pick<SpoolOwner, "wall" | "torn" | "unreadable">): Promise<Leftover> {
  const left: Leftover = { segments: [], lastSeq: 0, nextSegment: 1 };
  let numbers: number[];
  try {
    numbers = (await disk.list()).flatMap((name) => Segment.numberIn(name) ?? []).sort((a, b) => a - b);
  } catch (err) {
    owner.unreadable("queue", wordsOf(err));
    return { ...left, lastSeq: owner.wall() * PER_MS, nextSegment: owner.wall() };
  }
  left.nextSegment = (numbers.at(-1) ?? 0) + 1;
  const unread: string[] = [];
  for (const number of numbers) {
    const segment = new Segment(number, disk, left.lastSeq);
    try {
      await scan(segment, left, owner);
      left.segments.push(segment);
    } catch (err) {
      unread.push(`${segment.name}: ${wordsOf(err)}`);
      // Also where some of it was read: what is in the rest nobody knows.
      left.segments.push(Segment.unreadable(number, disk, left.lastSeq, await sizeOf(segment, disk)));
    }
  }
  if (unread.length === 0) return left;
  // What is in those is found again when they can be read, and is older than now; where the clock was set back no file has more than that.
  const now = owner.wall() * PER_MS;
  left.lastSeq = now > left.lastSeq ? now : left.lastSeq + unread.length * SPREAD_MAX;
  owner.unreadable("queue", `${unread[0]}${unread.length > 1 ? `, and ${unread.length - 1} more` : ""}`);
  return left;
}

/** Of one that could not be read, or not even be opened. Never rejects. */
async function sizeOf({ size, name }: Segment, disk: Disk): Promise<number> {
  return size > 0 ? size : disk.sizeOf(name).catch(() => 0);
}

async function scan(segment: Segment, left: Leftover, owner: Pick<SpoolOwner, "torn">): Promise<void> {
  const file = await segment.open();
  const segments = [...left.segments, segment];
  segment.size = file.size;
  try {
    const tornFrom = (offset: number): void => owner.torn(segment.name, file.size - offset);
    for await (const piece of pieces(file, 0, file.size, tornFrom))
      for (const { frame, from } of piece) {
        if (frame.kind === "done") wereDone(segments, frame.ranges);
        // What is there twice was written again behind a write that had failed.
        else if (frame.kind === "item" && frame.seq > left.lastSeq && segment.take(frame.seq, from)) {
          left.lastSeq = frame.seq;
          segment.left++;
        }
      }
  } finally {
    await segment.close();
  }
}

function wereDone(segments: readonly Segment[], ranges: readonly (readonly [from: number, count: number])[]): void {
  for (const [from, count] of ranges)
    for (const segment of segments) {
      if (segment.last < segment.first) continue;
      const end = Math.min(from + count - 1, segment.last);
      for (let seq = Math.max(from, segment.first); seq <= end; seq++) if (segment.markDone(seq)) segment.left--;
    }
}
