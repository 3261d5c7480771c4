/** Bytes on their way out: every edge of the states, and a random life against a list of bytes. */
import { describe, expect, test } from "bun:test";
import { HIGH_WATER, Out } from "../../../server/core/out.ts";
import { type OutOwner, OutPool } from "../../../server/core/out_pool.ts";
import type { Transport } from "../../../server/core/ports.ts";

const KIB = 1024;
const LARGE = 64 * KIB;

class Peer implements Transport, OutOwner {
  readonly ip = "127.0.0.1";
  readonly port = 1;
  /** What the kernel took. */
  got: number[] = [];
  writes: number[] = [];
  /** Bytes it still takes; -1 = the peer is gone. */
  room = Number.POSITIVE_INFINITY;
  /** Called in the middle of a write, before it answers. */
  meanwhile: (() => void) | null = null;
  error: Error | null = null;
  rooms = 0;
  write(buf: Uint8Array, offset: number, length: number): number {
    this.meanwhile?.();
    if (this.error !== null) throw this.error;
    if (this.room < 0) return -1;
    const n = Math.min(length, this.room);
    this.got.push(...buf.subarray(offset, offset + n));
    this.room -= n;
    this.writes.push(n);
    return n;
  }
  onRoom(): void {
    this.rooms++;
  }
  end(): void {}
  finish(): void {}
  destroy(): void {}
  pause(): void {}
  resume(): void {}
  probe(): void {}
}

class Kit {
  readonly counter = { bytesSent: 0 };
  readonly failures: unknown[] = [];
  readonly pool = new OutPool(this.counter, (_out, err) => this.failures.push(err));
  readonly peer = new Peer();
  readonly out = this.connection(this.peer);
  /** All buffers that were ever taken. */
  readonly #all = new Set<Uint8Array>();

  constructor() {
    const take = this.pool.take.bind(this.pool);
    this.pool.take = (size) => {
      const b = take(size);
      this.#all.add(b);
      return b;
    };
  }

  /** Every buffer is back in the pool, once. */
  expectAllBack(): void {
    const idle = [...this.free(1), ...this.free(LARGE)];
    expect(new Set(idle)).toEqual(this.#all);
    expect(idle.length).toBe(this.#all.size);
    for (const b of idle) this.pool.give(b);
  }

  connection(peer: Peer): Out {
    return new Out(peer, this.pool, peer);
  }
  /** The buffers of a size that the pool holds; they are taken out of it. */
  free(size: number): Uint8Array[] {
    return Array.from({ length: this.pool.idle(size) }, () => this.pool.take(size));
  }
}

const bytes = (n: number, from = 0): Uint8Array => Uint8Array.from({ length: n }, (_, i) => (from + i) % 251);
const list = (b: Uint8Array, start = 0, end = b.length): number[] => [...b.subarray(start, end)];

function ack(out: Out, value: number): void {
  const at = out.reserve(5);
  out.staging.set([0x40, 2, 0, value], at);
  out.unreserve(1);
  out.holdsAcks = true;
}

describe("one flush, one write", () => {
  test("consecutive bytes of a chunk are forwarded as they are, without a copy", () => {
    const { out, pool, peer } = new Kit();
    const chunk = bytes(300);
    let seen: Uint8Array | null = null;
    const write = peer.write.bind(peer);
    peer.write = (b, o, n) => {
      seen = b;
      return write(b, o, n);
    };
    out.run(chunk, 10, 20);
    out.run(chunk, 20, 60);
    expect(out.pending).toBe(50);
    pool.flushAll();
    expect(seen).toBe(chunk as never);
    expect([peer.writes, peer.got, out.pending, out.bytes, out.writes]).toEqual([[50], list(chunk, 10, 60), 0, 50, 1]);
  });

  test("run, copy, reserve, run: in this order", () => {
    const { out, pool, peer } = new Kit();
    const chunk = bytes(300);
    out.run(chunk, 0, 30);
    out.copy(bytes(100, 7), 0, 100);
    ack(out, 9);
    out.run(chunk, 200, 240);
    out.run(chunk, 250, 260);
    pool.flushAll();
    const want = [...list(chunk, 0, 30), ...list(bytes(100, 7)), 0x40, 2, 0, 9, ...list(chunk, 200, 240), ...list(chunk, 250, 260)];
    expect([peer.writes.length, peer.got]).toEqual([1, want]);
  });

  test("a single byte before, or behind, a run is as good as many", () => {
    const { out, pool, peer } = new Kit();
    const chunk = bytes(300);
    out.copy(bytes(1, 7), 0, 1);
    out.run(chunk, 0, 200);
    pool.flushAll();
    out.run(chunk, 0, 200);
    out.copy(bytes(1, 9), 0, 1);
    pool.flushAll();
    expect([peer.writes, peer.got]).toEqual([
      [201, 201],
      [7, ...list(chunk, 0, 200), ...list(chunk, 0, 200), 9],
    ]);
  });

  test("copies are copies: the source may change before the flush", () => {
    const { out, pool, peer } = new Kit();
    const source = bytes(100);
    out.copy(source, 0, 100);
    source.fill(1);
    pool.flushAll();
    expect(peer.got).toEqual(list(bytes(100)));
  });

  test("a connection with nothing to say is not written, and a second flush is nothing", () => {
    const { out, pool, peer } = new Kit();
    pool.flushAll();
    out.copy(bytes(1), 0, 1);
    pool.flushAll();
    pool.flushAll();
    out.flush();
    expect([peer.writes, out.writes]).toEqual([[1], 1]);
  });

  test("what was reserved and given back is not sent", () => {
    const { out, pool, peer } = new Kit();
    out.reserve(10);
    out.unreserve(10);
    pool.flushAll();
    expect(peer.writes).toEqual([]);
  });

  test("bytes of all connections are counted together", () => {
    const kit = new Kit();
    const other = new Peer();
    kit.out.copy(bytes(3), 0, 3);
    kit.connection(other).copy(bytes(4), 0, 4);
    kit.pool.flushAll();
    expect(kit.counter.bytesSent).toBe(7);
  });
});

describe("the staging buffer", () => {
  test("grows from 4 to 64 KiB, and what is in it stays", () => {
    const kit = new Kit();
    kit.out.copy(bytes(4000), 0, 4000);
    const small = kit.out.staging;
    kit.out.copy(bytes(4000, 1), 0, 4000);
    expect([small.length, kit.out.staging.length]).toEqual([4 * KIB, LARGE]);
    kit.pool.flushAll();
    expect(kit.peer.got).toEqual([...list(bytes(4000)), ...list(bytes(4000, 1))]);
    kit.expectAllBack();
  });

  test("full before the flush: it is written, and used again", () => {
    const kit = new Kit();
    kit.out.copy(bytes(60_000), 0, 60_000);
    const st = kit.out.staging;
    kit.out.copy(bytes(6000), 0, 6000);
    expect(kit.out.staging).toBe(st);
    expect(kit.peer.writes).toEqual([60_000]);
    kit.pool.flushAll();
    expect(kit.peer.got).toEqual([...list(bytes(60_000)), ...list(bytes(6000))]);
    expect(kit.free(LARGE)).toEqual([st]);
  });

  test("a small one that would not even grow enough gives way to a large one", () => {
    const kit = new Kit();
    kit.out.copy(bytes(3000), 0, 3000);
    const small = kit.out.staging;
    kit.out.copy(bytes(63_000), 0, 63_000);
    expect(kit.peer.writes).toEqual([3000]);
    kit.pool.flushAll();
    expect(kit.peer.got).toEqual([...list(bytes(3000)), ...list(bytes(63_000))]);
    expect(kit.free(1)).toEqual([small]);
  });

  test("a piece of more than 64 KiB goes by itself, in order", () => {
    const kit = new Kit();
    const piece = bytes(70_000, 5);
    kit.out.copy(bytes(10), 0, 10);
    kit.out.copy(piece, 0, 70_000);
    kit.out.copy(bytes(10, 3), 0, 10);
    kit.pool.flushAll();
    expect(kit.peer.got).toEqual([...list(bytes(10)), ...list(piece), ...list(bytes(10, 3))]);
    expect(kit.peer.writes).toEqual([10, 70_000, 10]);
    kit.expectAllBack();
  });

  test("a single byte goes before it", () => {
    const kit = new Kit();
    const piece = bytes(70_000, 5);
    kit.out.copy(bytes(1, 9), 0, 1);
    kit.out.copy(piece, 0, 70_000);
    kit.pool.flushAll();
    expect(kit.peer.got).toEqual([9, ...list(piece)]);
  });

  test("nobody keeps one after the flush, also when a run is what is left", () => {
    const kit = new Kit();
    const chunk = bytes(100);
    kit.out.copy(bytes(60_000), 0, 60_000);
    // Written and empty, then only a run.
    kit.out.copy(bytes(70_000), 0, 70_000);
    kit.out.run(chunk, 0, 100);
    kit.pool.flushAll();
    expect(kit.free(LARGE)).toHaveLength(1);
    expect(kit.peer.got.slice(-100)).toEqual(list(chunk));
  });

  test("many connections: each has its own while they gather, and the pool has them all afterwards", () => {
    const kit = new Kit();
    const peers = Array.from({ length: 50 }, () => new Peer());
    const outs = peers.map((p) => kit.connection(p));
    for (let round = 0; round < 3; round++) {
      for (const [i, o] of outs.entries()) o.copy(bytes(30, i), 0, 30);
      expect(new Set(outs.map((o) => o.staging)).size).toBe(50);
      kit.pool.flushAll();
    }
    for (const [i, p] of peers.entries()) expect(p.got).toEqual([...list(bytes(30, i)), ...list(bytes(30, i)), ...list(bytes(30, i))]);
    expect(kit.free(1)).toHaveLength(50);
  });
});

describe("the peer is gone", () => {
  /** What was gathered in one turn before the flush, by name. */
  const GATHERED: Record<string, (o: Out) => void> = {
    "a run": (o) => o.run(bytes(500), 0, 500),
    "staged bytes": (o) => o.copy(bytes(500), 0, 500),
    "staged bytes and a run": (o) => {
      o.copy(bytes(500), 0, 500);
      o.run(bytes(600), 0, 600);
    },
    "a small staging buffer, and a run it has no room for": (o) => {
      o.copy(bytes(3000), 0, 3000);
      o.run(bytes(63_000), 0, 63_000);
    },
    "a large staging buffer, and a run it has no room for": (o) => {
      o.copy(bytes(40_000), 0, 40_000);
      o.run(bytes(40_000), 0, 40_000);
    },
    "a piece above 64 KiB between small ones": (o) => {
      o.copy(bytes(100), 0, 100);
      o.copy(bytes(70_000), 0, 70_000);
      o.run(bytes(100), 0, 100);
      o.run(bytes(100), 50, 100);
    },
    acknowledgements: (o) => ack(o, 1),
    "held acknowledgements": (o) => {
      for (let i = 0; i < 40; i++) {
        ack(o, i);
        o.copy(bytes(4000), 0, 4000);
      }
    },
  };
  for (const [name, gather] of Object.entries(GATHERED)) {
    for (const how of ["answers -1", "throws", "is closed in the middle of the write"]) {
      test(`${name}; the transport ${how}: others are written, no buffer has two owners`, () => {
        const kit = new Kit();
        const before = new Peer();
        const after = new Peer();
        const outs = [kit.connection(before), kit.out, kit.connection(after)] as const;
        const late = new Peer();
        const third = kit.connection(late);
        let taken = false;
        if (how === "answers -1") kit.peer.room = -1;
        if (how === "throws") kit.peer.error = new Error("broken pipe");
        if (how === "is closed in the middle of the write") {
          kit.peer.meanwhile = () => {
            kit.peer.meanwhile = null;
            kit.peer.room = 7;
            kit.out.close();
            // Another connection takes a buffer while this one's is still being written.
            taken = true;
            third.copy(bytes(40, 9), 0, 40);
          };
        }
        outs[0].copy(bytes(20), 0, 20);
        outs[2].copy(bytes(30), 0, 30);
        gather(kit.out);
        while (kit.pool.dirty.length > 0) kit.pool.flushAll();
        expect(before.got).toEqual(list(bytes(20)));
        expect(after.got).toEqual(list(bytes(30)));
        expect(late.got).toEqual(taken ? list(bytes(40, 9)) : []);
        expect([kit.out.closed, kit.out.pending]).toEqual([true, 0]);
        expect(kit.failures).toEqual(how === "throws" ? [kit.peer.error] : []);
        kit.expectAllBack();
        // It takes whatever comes and sends nothing of it.
        kit.peer.room = Number.POSITIVE_INFINITY;
        kit.peer.error = null;
        kit.peer.got = [];
        for (const more of Object.values(GATHERED)) more(kit.out);
        kit.pool.flushAll();
        expect([kit.peer.got, kit.out.pending, kit.out.drained()]).toEqual([[], 0, false]);
        kit.expectAllBack();
      });
    }
  }

  test("an exception of one flush is told once, and everybody behind it is written", () => {
    const kit = new Kit();
    const peers = Array.from({ length: 5 }, () => new Peer());
    const outs = peers.map((p) => kit.connection(p));
    (peers[1] as Peer).error = new Error("first");
    (peers[3] as Peer).error = new Error("second");
    for (let round = 0; round < 2; round++) {
      for (const o of outs) o.copy(bytes(10), 0, 10);
      kit.pool.flushAll();
    }
    expect(peers.map((p) => p.got.length)).toEqual([20, 0, 20, 0, 20]);
    expect(kit.failures.map(String)).toEqual(["Error: first", "Error: second"]);
  });

  test("an exception of the owner costs that connection alone", () => {
    const kit = new Kit();
    const other = new Peer();
    const second = kit.connection(other);
    kit.peer.onRoom = () => {
      throw new Error("pump");
    };
    kit.peer.room = 0;
    for (let i = 0; i < 20; i++) {
      ack(kit.out, i);
      kit.out.copy(bytes(60_000), 0, 60_000);
    }
    expect(kit.out.blocked).toBe(true);
    second.copy(bytes(10), 0, 10);
    kit.peer.room = Number.POSITIVE_INFINITY;
    kit.pool.flushAll();
    expect([other.got.length, kit.out.closed, kit.failures.map(String)]).toEqual([10, true, ["Error: pump"]]);
  });
});

describe("the kernel does not take everything", () => {
  test("part: the rest comes with the drain event, before what is sent later", () => {
    const { out, pool, peer } = new Kit();
    peer.room = 40;
    out.copy(bytes(100), 0, 100);
    pool.flushAll();
    expect([peer.got.length, out.pending]).toEqual([40, 60]);
    out.copy(bytes(50, 9), 0, 50);
    pool.flushAll();
    expect(peer.writes).toEqual([40]);
    peer.room = 70;
    expect(out.drained()).toBe(false);
    expect(out.pending).toBe(40);
    peer.room = Number.POSITIVE_INFINITY;
    out.drained();
    expect([peer.got, out.pending]).toEqual([[...list(bytes(100)), ...list(bytes(50, 9))], 0]);
    out.copy(bytes(5), 0, 5);
    pool.flushAll();
    expect(peer.writes.at(-1)).toBe(5);
  });

  test("nothing is no write", () => {
    const { out, pool, peer } = new Kit();
    peer.room = 0;
    out.copy(bytes(10), 0, 10);
    pool.flushAll();
    expect([out.writes, out.bytes, out.pending]).toEqual([0, 0, 10]);
  });

  test("small packets to somebody who does not read cost their bytes: they leave in few writes", () => {
    const { out, pool, peer } = new Kit();
    peer.room = 0;
    const want: number[] = [];
    for (let i = 0; i < 2000; i++) {
      out.copy(bytes(10, i), 0, 10);
      want.push(...bytes(10, i));
      pool.flushAll();
    }
    expect(out.pending).toBe(20_000);
    peer.room = Number.POSITIVE_INFINITY;
    peer.writes = [];
    out.drained();
    expect(peer.got).toEqual(want);
    expect(peer.writes.length).toBeLessThan(10);
  });

  test("blocked above 1 MiB, until less than 256 KiB wait", () => {
    const { out, pool, peer } = new Kit();
    peer.room = 0;
    const piece = bytes(64 * KIB);
    while (out.pending < HIGH_WATER) {
      expect(out.blocked).toBe(false);
      out.copy(piece, 0, piece.length);
      pool.flushAll();
    }
    expect([out.pending, out.blocked]).toEqual([HIGH_WATER, false]);
    out.copy(piece, 0, 1);
    pool.flushAll();
    expect(out.blocked).toBe(true);
    peer.room = 768 * KIB + 1;
    expect([out.drained(), out.blocked, out.pending]).toEqual([false, true, 256 * KIB]);
    peer.room = 1;
    expect([out.drained(), out.blocked]).toEqual([true, false]);
    peer.room = 1;
    expect(out.drained()).toBe(false);
    expect(peer.rooms).toBe(0);
  });

  test("gone while the backlog is written", () => {
    const kit = new Kit();
    kit.peer.room = 5;
    kit.out.copy(bytes(10), 0, 10);
    kit.pool.flushAll();
    kit.peer.room = -1;
    expect([kit.out.drained(), kit.out.closed, kit.out.pending]).toEqual([false, true, 0]);
  });
});

describe("acknowledgements wait for the commit", () => {
  /** More of them in one turn than the staging buffer holds. */
  function flood(out: Out, n: number): number[] {
    const want: number[] = [];
    for (let i = 0; i < n; i++) {
      ack(out, i % 200);
      want.push(0x40, 2, 0, i % 200);
    }
    return want;
  }

  test("more than the staging buffer holds are kept back until the flush", () => {
    const { out, pool, peer } = new Kit();
    const want = flood(out, 20_000);
    expect([peer.writes, out.pending]).toEqual([[], 80_000]);
    pool.flushAll();
    expect([peer.got, out.pending, out.holdsAcks]).toEqual([want, 0, false]);
  });

  test("a drain event before the turn's end does not let them out", () => {
    const { out, pool, peer } = new Kit();
    const want = flood(out, 20_000);
    expect(out.drained()).toBe(false);
    expect(peer.writes).toEqual([]);
    pool.flushAll();
    expect(peer.got).toEqual(want);
  });

  test("… but what was refused by the kernel before them", () => {
    const { out, pool, peer } = new Kit();
    peer.room = 0;
    out.copy(bytes(100), 0, 100);
    pool.flushAll();
    const want = flood(out, 20_000);
    peer.room = Number.POSITIVE_INFINITY;
    out.drained();
    expect(peer.got).toEqual(list(bytes(100)));
    pool.flushAll();
    expect(peer.got.slice(100)).toEqual(want);
  });

  test("also pieces above 64 KiB behind them, and what comes after those", () => {
    const { out, pool, peer } = new Kit();
    ack(out, 1);
    const piece = bytes(70_000);
    out.copy(piece, 0, piece.length);
    ack(out, 2);
    out.run(piece, 100, 50_000);
    out.run(piece, 0, 60_000);
    expect(peer.writes).toEqual([]);
    pool.flushAll();
    const want = [0x40, 2, 0, 1, ...piece, 0x40, 2, 0, 2, ...list(piece, 100, 50_000), ...list(piece, 0, 60_000)];
    expect(peer.got).toEqual(want);
  });

  test("without acknowledgements a full staging buffer leaves at once", () => {
    const { out, peer } = new Kit();
    out.copy(bytes(40_000), 0, 40_000);
    out.copy(bytes(40_000), 0, 40_000);
    expect(peer.writes).toEqual([40_000]);
  });

  test("the next turn's bytes are not held by those of the last one", () => {
    const { out, pool, peer } = new Kit();
    flood(out, 20_000);
    pool.flushAll();
    peer.got = [];
    out.copy(bytes(40_000), 0, 40_000);
    out.copy(bytes(40_000), 0, 40_000);
    expect(peer.got.length).toBe(40_000);
  });

  test("close forgets them", () => {
    const kit = new Kit();
    flood(kit.out, 20_000);
    kit.out.close();
    kit.pool.flushAll();
    expect([kit.peer.writes, kit.out.pending, kit.out.holdsAcks]).toEqual([[], 0, false]);
    kit.expectAllBack();
  });

  test("a peer that is gone when they are let out has no room for more", () => {
    const { out, pool, peer } = new Kit();
    flood(out, 300_000);
    peer.room = -1;
    pool.flushAll();
    expect([out.closed, peer.rooms]).toEqual([true, 0]);
  });

  test("so many that the connection counts as blocked: the flush that lets them out tells the owner", () => {
    const { out, pool, peer } = new Kit();
    flood(out, 300_000);
    expect(out.blocked).toBe(true);
    pool.flushAll();
    expect([out.blocked, peer.rooms, out.pending]).toEqual([false, 1, 0]);
  });

  test("… and not while the kernel leaves too much behind", () => {
    const { out, pool, peer } = new Kit();
    flood(out, 300_000);
    peer.room = 100_000;
    pool.flushAll();
    expect([out.blocked, peer.rooms]).toEqual([true, 0]);
  });
});

describe("close", () => {
  test("between gathering and flush: nothing is written, the buffer is back", () => {
    const kit = new Kit();
    kit.out.copy(bytes(10), 0, 10);
    const st = kit.out.staging;
    kit.out.close();
    expect(kit.out.pending).toBe(0);
    kit.pool.flushAll();
    expect([kit.peer.writes, kit.free(1)]).toEqual([[], [st]]);
  });

  test("twice, and after a flush", () => {
    const kit = new Kit();
    kit.out.copy(bytes(10), 0, 10);
    kit.pool.flushAll();
    kit.out.close();
    kit.out.close();
    kit.out.fail(new Error("late"));
    expect([kit.out.closed, kit.failures]).toEqual([true, []]);
    kit.expectAllBack();
  });
});

describe("what is promised waits for the disk", () => {
  /** A promise is gathered, and the turn is over. */
  function waiting(): Kit {
    const kit = new Kit();
    kit.pool.unsynced = true;
    ack(kit.out, 1);
    kit.pool.flushAll();
    return kit;
  }
  const sent = (kit: Kit): number[] => kit.peer.got.filter((_, i) => i % 4 === 3);

  test("nothing leaves before the sync that covers it; then it does, and the buffer is back", () => {
    const kit = waiting();
    expect([kit.out.waits, kit.out.pending, kit.peer.got, kit.pool.waiting]).toEqual([true, 4, [], [kit.out]]);
    kit.pool.flushAll();
    const covered = kit.pool.cover();
    expect([covered, kit.pool.waiting, kit.peer.got]).toEqual([[kit.out], [], []]);
    kit.pool.release(covered);
    expect([sent(kit), kit.out.waits, kit.out.pending]).toEqual([[1], false, 0]);
    kit.expectAllBack();
    ack(kit.out, 2);
    kit.pool.flushAll();
    expect([sent(kit), kit.out.waits]).toEqual([[1], true]);
  });

  test("who promises nothing is written at once", () => {
    const kit = waiting();
    const peer = new Peer();
    const other = kit.connection(peer);
    other.copy(bytes(3), 0, 3);
    kit.pool.flushAll();
    expect([peer.got, other.waits]).toEqual([[0, 1, 2], false]);
  });

  test("what promises nothing leaves with what is before it, a run as the copy that it was when it came", () => {
    const kit = waiting();
    const covered = kit.pool.cover();
    const chunk = bytes(8, 100);
    kit.out.run(chunk, 0, 2);
    kit.out.run(chunk, 2, 4);
    kit.pool.flushAll();
    chunk.fill(0xee);
    kit.out.copy(bytes(2, 200), 0, 2);
    kit.pool.release(covered);
    expect(kit.peer.got).toEqual([0x40, 2, 0, 1, 100, 101, 102, 103, 200, 201]);
    expect(kit.peer.writes).toEqual([10]);
    kit.expectAllBack();
  });

  test("a run that is gathered before the promise is copied when the turn is over", () => {
    const kit = new Kit();
    kit.pool.unsynced = true;
    const chunk = bytes(4, 100);
    kit.out.run(chunk, 0, 4);
    kit.out.holdsAcks = true;
    kit.pool.flushAll();
    chunk.fill(0xee);
    kit.pool.releaseAll();
    expect(kit.peer.got).toEqual([100, 101, 102, 103]);
    kit.expectAllBack();
  });

  test("a promise that comes during a sync waits for the next one", () => {
    const kit = waiting();
    let covered = kit.pool.cover();
    ack(kit.out, 2);
    kit.pool.flushAll();
    kit.pool.release(covered);
    expect([sent(kit), kit.pool.waiting, kit.out.pending]).toEqual([[1], [kit.out], 4]);
    covered = kit.pool.cover();
    ack(kit.out, 3);
    kit.pool.release(covered);
    expect(sent(kit)).toEqual([1, 2]);
    kit.pool.release(kit.pool.cover());
    expect([sent(kit), kit.out.waits]).toEqual([[1, 2, 3], false]);
    kit.expectAllBack();
  });

  test("more than the staging buffer holds, before the sync begins and during it", () => {
    const kit = waiting();
    const much = bytes(50_000);
    kit.out.copy(much, 0, much.length);
    kit.out.copy(much, 0, much.length);
    const covered = kit.pool.cover();
    kit.out.copy(much, 0, much.length);
    const large = bytes(LARGE + 5);
    kit.out.copy(large, 0, large.length);
    ack(kit.out, 2);
    expect([kit.peer.got.length, kit.out.pending]).toEqual([0, 4 + 3 * 50_000 + LARGE + 5 + 4]);
    kit.pool.release(covered);
    expect(kit.peer.got).toEqual([0x40, 2, 0, 1, ...list(much), ...list(much)]);
    kit.pool.release(kit.pool.cover());
    expect(kit.peer.got).toEqual([0x40, 2, 0, 1, ...list(much), ...list(much), ...list(much), ...list(large), 0x40, 2, 0, 2]);
    kit.expectAllBack();
  });

  test("behind a backlog: a drain takes nothing that waits", () => {
    const kit = new Kit();
    kit.peer.room = 2;
    kit.out.copy(bytes(5), 0, 5);
    kit.pool.flushAll();
    kit.pool.unsynced = true;
    ack(kit.out, 1);
    kit.pool.flushAll();
    kit.out.copy(bytes(LARGE), 0, LARGE);
    kit.peer.room = Number.POSITIVE_INFINITY;
    kit.out.drained();
    expect(kit.peer.got).toEqual([0, 1, 2, 3, 4]);
    const covered = kit.pool.cover();
    ack(kit.out, 2);
    kit.peer.room = 1;
    kit.pool.release(covered);
    kit.peer.room = Number.POSITIVE_INFINITY;
    kit.out.drained();
    expect(kit.peer.got).toEqual([0, 1, 2, 3, 4, 0x40, 2, 0, 1, ...list(bytes(LARGE))]);
    kit.pool.releaseAll();
    expect(kit.peer.got.slice(-4)).toEqual([0x40, 2, 0, 2]);
    kit.expectAllBack();
  });

  test("much that waits blocks the connection, and it hears when there is room", () => {
    for (const again of [false, true]) {
      const kit = waiting();
      const piece = bytes(LARGE);
      for (let i = 0; !kit.out.blocked && i < 40; i++) kit.out.copy(piece, 0, piece.length);
      expect([kit.out.blocked, kit.out.pending > HIGH_WATER, kit.peer.rooms]).toEqual([true, true, 0]);
      const covered = kit.pool.cover();
      if (again) ack(kit.out, 2);
      kit.pool.release(covered);
      expect([kit.out.blocked, kit.peer.rooms, kit.out.waits]).toEqual([false, 1, again]);
    }
  });

  test("a sync that fails: all of it waits for the next one", () => {
    const kit = waiting();
    kit.pool.uncover(kit.pool.cover());
    expect([kit.out.holdsAcks, kit.pool.waiting, kit.peer.got]).toEqual([true, [kit.out], []]);
    kit.out.copy(bytes(1), 0, 1);
    kit.pool.release(kit.pool.cover());
    expect(kit.peer.got).toEqual([0x40, 2, 0, 1, 0]);
  });

  test("closed meanwhile: nothing leaves, nothing is kept", () => {
    for (const when of ["before", "covered", "failed"] as const) {
      const kit = waiting();
      if (when === "before") kit.out.close();
      const covered = kit.pool.cover();
      kit.out.close();
      expect([kit.out.waits, kit.out.wait(), kit.out.uncover(), kit.out.pending]).toEqual([false, false, false, 0]);
      if (when === "failed") kit.pool.uncover(covered);
      else kit.pool.release(covered);
      expect([kit.peer.got, kit.pool.waiting, kit.out.pending]).toEqual([[], [], 0]);
      kit.expectAllBack();
    }
  });

  test("gone while it is written behind a sync: alone, and every buffer is back", () => {
    for (const promise of [false, true]) {
      const kit = waiting();
      const peer = new Peer();
      const other = kit.connection(peer);
      ack(other, 7);
      kit.pool.flushAll();
      const covered = kit.pool.cover();
      if (promise) ack(kit.out, 2);
      kit.peer.meanwhile = () => kit.out.close();
      kit.pool.release(covered);
      expect([kit.out.closed, peer.got, kit.pool.waiting]).toEqual([true, [0x40, 2, 0, 7], []]);
      kit.expectAllBack();
    }
  });

  test("an owner that throws when it hears of room behind a sync costs itself alone", () => {
    const kit = waiting();
    const peer = new Peer();
    ack(kit.connection(peer), 7);
    kit.pool.flushAll();
    const piece = bytes(LARGE);
    for (let i = 0; !kit.out.blocked && i < 40; i++) kit.out.copy(piece, 0, piece.length);
    kit.peer.onRoom = () => {
      throw new Error("a bug");
    };
    kit.pool.releaseAll();
    expect([kit.failures.map(String), kit.out.closed, peer.got]).toEqual([["Error: a bug"], true, [0x40, 2, 0, 7]]);
  });

  test("a write that throws behind a sync is told once, and costs nobody else", () => {
    const kit = waiting();
    const peer = new Peer();
    ack(kit.connection(peer), 7);
    kit.pool.flushAll();
    kit.peer.error = new Error("broken");
    kit.pool.releaseAll();
    expect([kit.failures.length, kit.out.closed, peer.got]).toEqual([1, true, [0x40, 2, 0, 7]]);
    kit.expectAllBack();
  });
});

test("a random life: every byte once and in order, whatever the kernel takes and whenever the disk has it, no buffer with two owners", () => {
  let x = 1;
  const rnd = (n: number): number => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((x / 2 ** 32) * n);
  };
  const kit = new Kit();
  const chunk = bytes(200_000);
  let covered: readonly Out[] | null = null;
  const lives = Array.from({ length: 4 }, () => {
    const peer = new Peer();
    return { peer, out: kit.connection(peer), want: [] as number[] };
  });
  for (let step = 0; step < 3000; step++) {
    const life = lives[rnd(4)] as (typeof lives)[0];
    const { out, peer, want } = life;
    const start = rnd(100_000);
    const size = rnd(20) === 0 ? rnd(90_000) : rnd(300);
    const what = rnd(12);
    if (what === 10) kit.pool.unsynced = rnd(3) > 0;
    else if (what === 11) {
      if (covered === null) covered = kit.pool.cover();
      else {
        if (rnd(4) > 0) kit.pool.release(covered);
        else kit.pool.uncover(covered);
        covered = null;
      }
    } else if (what < 3) {
      out.run(chunk, start, start + size);
      want.push(...list(chunk, start, start + size));
    } else if (what < 6) {
      out.copy(chunk, start, start + size);
      want.push(...list(chunk, start, start + size));
    } else if (what < 8) {
      ack(out, step % 200);
      want.push(0x40, 2, 0, step % 200);
    } else if (what === 8) {
      peer.room = [0, rnd(50_000), Number.POSITIVE_INFINITY][rnd(3)] as number;
      out.drained();
    } else if (rnd(3) === 0) kit.pool.flushAll();
  }
  for (const { out, peer, want } of lives) {
    peer.room = Number.POSITIVE_INFINITY;
    kit.pool.unsynced = false;
    kit.pool.flushAll();
    if (covered !== null) kit.pool.release(covered);
    covered = null;
    kit.pool.releaseAll();
    out.drained();
    expect(Buffer.compare(Buffer.from(peer.got), Buffer.from(want))).toBe(0);
    expect(out.pending).toBe(0);
  }
  kit.expectAllBack();
  expect(kit.failures).toEqual([]);
});
