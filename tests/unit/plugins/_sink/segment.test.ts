import { expect, test } from "bun:test";
import { Segment, segmentWith } from "../../../../server/plugins/_sink/segment.ts";
import { Rng } from "../../../sim/rng.ts";
import { MemoryDisk } from "../../../support/memory_disk.ts";

test("the one that has a number is found as by looking through all of them, empty ones and gaps among them", () => {
  const disk = new MemoryDisk();
  for (let seed = 1; seed <= 300; seed++) {
    const rng = new Rng(seed);
    const segments: Segment[] = [];
    let seq = rng.int(5);
    for (let n = rng.int(8); n >= 0; n--) {
      const segment = new Segment(n, disk, segments.at(-1)?.last ?? 0);
      for (let items = rng.int(4); items > 0; items--) {
        seq += 1 + rng.int(3);
        segment.take(seq, 0);
      }
      segments.push(segment);
    }
    for (let wanted = 0; wanted <= seq + 2; wanted++)
      expect([seed, wanted, segmentWith(segments, wanted)]).toEqual([seed, wanted, segments.find((s) => s.has(wanted))]);
  }
});
