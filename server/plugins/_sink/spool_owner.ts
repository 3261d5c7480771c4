/** What a spool asks of its sink, and tells it: in the log, in its figures. */
import type { DiskTrouble } from "./disk_trouble.ts";
import type { Drops } from "./drops.ts";
import type { SinkHost, SpoolOwner } from "./types.ts";

/** What waits to be written. */
const UNWRITTEN_MAX = 16 * 1024 * 1024;

export interface SpoolSink extends Pick<SpoolOwner, "readable" | "madeRoom" | "opened"> {
  readonly host: SinkHost;
  readonly trouble: DiskTrouble;
  readonly drops: Drops;
  settings(): { readonly what: string; readonly diskMax: number };
  /** Bytes; undefined = as many as usual. */
  readonly unwrittenMax: number | undefined;
}

export function spoolOwner(sink: SpoolSink): SpoolOwner {
  const { host, trouble, drops } = sink;
  const server = (): string => sink.settings().what;
  return {
    now: () => host.clock.mono(),
    wall: () => host.clock.now(),
    diskMax: () => sink.settings().diskMax,
    unwrittenMax: sink.unwrittenMax ?? UNWRITTEN_MAX,
    trouble: (of, why) => trouble.is(of, why, server()),
    lost: (rows, why) => drops.lost(rows, server(), why),
    unreadable: (of, why) => trouble.unreadable(of, why, server()),
    unreadableGone(file, isLast) {
      host.log.error("a file of the queue that cannot be read has made room: what was in it is lost", { server: server(), file });
      if (isLast) trouble.unreadable("queue", null, server());
    },
    torn(file, bytes) {
      trouble.torn += bytes;
      host.log.warn("the end of a file was cut off: it was not written to its end", { server: server(), file, bytes });
    },
    readable: () => sink.readable(),
    madeRoom: (seq, lost) => sink.madeRoom(seq, lost),
    opened: () => sink.opened(),
  };
}
