/** How much memory this process has in hand, for whoever looks often: ten times a second beside traffic that waits meanwhile. */
import { openSync, readFileSync, readSync } from "node:fs";

/** Auxiliary vector, entry "size of a page" (getauxval(3)). */
const AT_PAGESZ = 6n;

/**
 * Returns a function that tells the resident bytes. On Linux one read of a file that stays open (0.6 us, or 25 when nothing of it is in the
 * caches; the runtime's own way, which opens and parses a longer one, 3.2 and 55), elsewhere the runtime's way.
 */
export function createRssReading(proc = "/proc/self"): () => number {
  const page = pageSize(proc);
  const file = page === null ? null : opened(`${proc}/statm`);
  if (page === null || file === null) return process.memoryUsage.rss;
  const text = Buffer.alloc(128);
  return () => {
    const end = readSync(file, text, 0, text.length, 0);
    const pages = residentPages(text, end);
    return pages > 0 ? pages * page : process.memoryUsage.rss();
  };
}

/** The second number of "1234 567 89 …"; 0 = there is none. */
function residentPages(text: Uint8Array, end: number): number {
  let at = text.indexOf(32) + 1;
  if (at === 0 || at >= end) return 0;
  let n = 0;
  for (; at < end; at++) {
    const digit = (text[at] as number) - 48;
    if (digit < 0 || digit > 9) break;
    n = n * 10 + digit;
  }
  return n;
}

function pageSize(proc: string): number | null {
  try {
    const vector = readFileSync(`${proc}/auxv`);
    for (let at = 0; at + 16 <= vector.length; at += 16)
      if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8));
    return null;
  } catch {
    return null;
  }
}

function opened(path: string): number | null {
  try {
    return openSync(path, "r");
  } catch {
    return null;
  }
}
