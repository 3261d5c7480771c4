/**
 * What of Kafka a producer and a reader meet, as a program of its own: ApiVersions, Metadata, Produce (its record batches kept as they came, on the
 * disk, their checksums checked), Fetch, ListOffsets, and a log-in by SASL PLAIN. There is no Kafka in Debian: this one stands in for it, and librdkafka
 * (kcat) reads from it what kafkajs has written. Not what a real cluster does: replicas, elections, quotas, transactions.
 *
 *   bun kafka_twin.ts <port> <directory> <topics with commas> [<user> <password>]
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PARTITIONS = 3;
const MESSAGE_MAX = 1_000_000;
const [PRODUCE, FETCH, LIST_OFFSETS, METADATA, JOIN_GROUP, SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE] = [0, 1, 2, 3, 11, 17, 18, 36];
/** Lowest and highest version of each. */
const VERSIONS: readonly [key: number, min: number, max: number][] = [
  [PRODUCE, 3, 7],
  [FETCH, 4, 4],
  [LIST_OFFSETS, 1, 1],
  [METADATA, 0, 4],
  // By these two librdkafka knows a server that one logs in to.
  [JOIN_GROUP, 0, 0],
  [SASL_HANDSHAKE, 0, 1],
  [API_VERSIONS, 0, 2],
  [SASL_AUTHENTICATE, 0, 0],
];
const [NONE, OUT_OF_RANGE, CORRUPT, NO_TOPIC, TOO_LARGE, UNSUPPORTED_VERSION, SASL_FAILED] = [0, 1, 2, 3, 10, 35, 58];

class Reader {
  at = 0;
  constructor(private readonly b: Buffer) {}
  #next(bytes: number): number {
    this.at += bytes;
    return this.at - bytes;
  }
  i8 = (): number => this.b.readInt8(this.#next(1));
  i16 = (): number => this.b.readInt16BE(this.#next(2));
  i32 = (): number => this.b.readInt32BE(this.#next(4));
  i64 = (): bigint => this.b.readBigInt64BE(this.#next(8));
  bytes(length = this.i32()): Buffer {
    const from = this.at;
    this.at += Math.max(0, length);
    return this.b.subarray(from, this.at);
  }
  text(): string {
    return this.bytes(this.i16()).toString("utf8");
  }
  many<T>(one: () => T): T[] {
    return Array.from({ length: Math.max(0, this.i32()) }, one);
  }
}

const i8 = (n: number): Buffer => Buffer.from([n]);
const i16 = (n: number): Buffer => {
  const b = Buffer.alloc(2);
  b.writeInt16BE(n);
  return b;
};
const i32 = (n: number): Buffer => {
  const b = Buffer.alloc(4);
  b.writeInt32BE(n);
  return b;
};
const i64 = (n: bigint): Buffer => {
  const b = Buffer.alloc(8);
  b.writeBigInt64BE(n);
  return b;
};
const text = (s: string | null): Buffer => (s === null ? i16(-1) : Buffer.concat([i16(Buffer.byteLength(s)), Buffer.from(s)]));
const bytes = (b: Buffer): Buffer => Buffer.concat([i32(b.length), b]);
const many = (all: readonly Buffer[]): Buffer => Buffer.concat([i32(all.length), ...all]);

const CRC_TABLE = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0x82f63b78 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});
function crc32c(b: Buffer): number {
  let c = 0xffffffff;
  for (const byte of b) c = (CRC_TABLE[(c ^ byte) & 255] as number) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** A log of one partition. */
class Partition {
  readonly batches: Buffer[] = [];
  end = 0n;

  constructor(private readonly file: string) {
    if (!existsSync(file)) return;
    const all = readFileSync(file);
    for (let at = 0; at + 12 <= all.length; ) {
      const size = 12 + all.readInt32BE(at + 8);
      if (at + size > all.length) break;
      this.#take(Buffer.from(all.subarray(at, at + size)));
      at += size;
    }
  }

  #take(batch: Buffer): void {
    this.batches.push(batch);
    this.end = batch.readBigInt64BE(0) + BigInt(batch.readInt32BE(23)) + 1n;
  }

  /** @returns the error, and the offset of the first record */
  append(records: Buffer): [error: number, base: bigint] {
    if (records.length > MESSAGE_MAX) return [TOO_LARGE as number, -1n];
    const batch = Buffer.from(records);
    const isWhole = batch.length > 61 && batch.readInt32BE(8) === batch.length - 12 && batch[16] === 2;
    if (!isWhole || crc32c(batch.subarray(21)) !== batch.readUInt32BE(17)) return [CORRUPT as number, -1n];
    const base = this.end;
    batch.writeBigInt64BE(base, 0);
    appendFileSync(this.file, batch);
    this.#take(batch);
    return [NONE as number, base];
  }

  from(offset: bigint): Buffer {
    return Buffer.concat(this.batches.filter((b) => b.readBigInt64BE(0) + BigInt(b.readInt32BE(23)) >= offset));
  }
}

const [port = "", directory = "", topicList = "", user = "", password = ""] = process.argv.slice(2);
const topics = new Map(
  topicList
    .split(",")
    .map((name) => [name, Array.from({ length: PARTITIONS }, (_, n) => new Partition(join(directory, `${name}-${n}.log`)))]),
);

interface Connection {
  pending: Buffer;
  isKnown: boolean;
}

/** The body of the answer; null = none is wanted. */
function answer(c: Connection, key: number, version: number, r: Reader): Buffer | null {
  if (key === API_VERSIONS) {
    const isKnown = version <= 2;
    const rows = VERSIONS.map(([k, min, max]) => Buffer.concat([i16(k), i16(min), i16(max)]));
    return Buffer.concat([
      i16(isKnown ? (NONE as number) : (UNSUPPORTED_VERSION as number)),
      many(rows),
      ...(isKnown && version >= 1 ? [i32(0)] : []),
    ]);
  }
  if (key === SASL_HANDSHAKE) return Buffer.concat([i16(r.text() === "PLAIN" ? 0 : 33), many([text("PLAIN")])]);
  if (key === SASL_AUTHENTICATE) {
    c.isKnown = r.bytes().toString("utf8") === `\0${user}\0${password}`;
    return Buffer.concat([
      i16(c.isKnown ? 0 : (SASL_FAILED as number)),
      text(c.isKnown ? null : "Authentication failed: Invalid username or password"),
      bytes(Buffer.alloc(0)),
    ]);
  }
  if (user !== "" && !c.isKnown) throw new Error("not logged in");
  switch (key) {
    case METADATA:
      return metadata(version, r);
    case PRODUCE:
      return produce(version, r);
    case FETCH:
      return fetched(r);
    case LIST_OFFSETS:
      return offsets(r);
  }
  throw new Error(`no such question: ${key}`);
}

function metadata(version: number, r: Reader): Buffer {
  const asked = r.many(() => r.text());
  const names = asked.length === 0 ? [...topics.keys()] : asked;
  const rows = names.map((name) => {
    const partitions = (topics.get(name) ?? []).map((_, n) => Buffer.concat([i16(0), i32(n), i32(1), many([i32(1)]), many([i32(1)])]));
    return Buffer.concat([
      i16(topics.has(name) ? 0 : (NO_TOPIC as number)),
      text(name),
      ...(version >= 1 ? [i8(0)] : []),
      many(partitions),
    ]);
  });
  const broker = Buffer.concat([i32(1), text("127.0.0.1"), i32(Number(port)), ...(version >= 1 ? [text(null)] : [])]);
  return Buffer.concat([
    ...(version >= 3 ? [i32(0)] : []),
    many([broker]),
    ...(version >= 2 ? [text("twin")] : []),
    ...(version >= 1 ? [i32(1)] : []),
    many(rows),
  ]);
}

function produce(version: number, r: Reader): Buffer | null {
  r.text();
  const acks = r.i16();
  r.i32();
  const rows = r.many(() => {
    const name = r.text();
    const partitions = r.many(() => {
      const n = r.i32();
      const records = r.bytes();
      const [error, base] = topics.get(name)?.[n]?.append(records) ?? [NO_TOPIC as number, -1n];
      return Buffer.concat([i32(n), i16(error), i64(base), i64(-1n), ...(version >= 5 ? [i64(0n)] : [])]);
    });
    return Buffer.concat([text(name), many(partitions)]);
  });
  return acks === 0 ? null : Buffer.concat([many(rows), i32(0)]);
}

function fetched(r: Reader): Buffer {
  r.bytes(16);
  r.i8();
  const rows = r.many(() => {
    const name = r.text();
    const partitions = r.many(() => {
      const [n, offset] = [r.i32(), r.i64()];
      r.i32();
      const partition = topics.get(name)?.[n];
      const error = partition === undefined ? NO_TOPIC : offset > partition.end ? OUT_OF_RANGE : NONE;
      const end = partition?.end ?? -1n;
      return Buffer.concat([i32(n), i16(error as number), i64(end), i64(end), i32(-1), bytes(partition?.from(offset) ?? Buffer.alloc(0))]);
    });
    return Buffer.concat([text(name), many(partitions)]);
  });
  return Buffer.concat([i32(0), many(rows)]);
}

function offsets(r: Reader): Buffer {
  r.i32();
  const rows = r.many(() => {
    const name = r.text();
    const partitions = r.many(() => {
      const [n, time] = [r.i32(), r.i64()];
      const partition = topics.get(name)?.[n];
      const offset = time === -2n ? 0n : (partition?.end ?? -1n);
      return Buffer.concat([i32(n), i16(partition === undefined ? (NO_TOPIC as number) : 0), i64(-1n), i64(offset)]);
    });
    return Buffer.concat([text(name), many(partitions)]);
  });
  return many(rows);
}

Bun.listen<Connection>({
  hostname: "127.0.0.1",
  port: Number(port),
  socket: {
    open(socket) {
      socket.data = { pending: Buffer.alloc(0), isKnown: false };
    },
    data(socket, chunk) {
      const c = socket.data;
      c.pending = Buffer.concat([c.pending, chunk]);
      while (c.pending.length >= 4 && c.pending.length >= 4 + c.pending.readInt32BE(0)) {
        const message = c.pending.subarray(4, 4 + c.pending.readInt32BE(0));
        c.pending = c.pending.subarray(4 + message.length);
        const r = new Reader(message);
        const [key, version, id] = [r.i16(), r.i16(), r.i32()];
        r.text();
        try {
          const body = answer(c, key, version, r);
          if (body !== null) out(socket, Buffer.concat([i32(4 + body.length), i32(id), body]));
        } catch {
          socket.end();
        }
      }
    },
    drain(socket) {
      out(socket, Buffer.alloc(0));
    },
    close(socket) {
      unsent.delete(socket);
    },
    error() {},
  },
});

/** What the kernel has not taken yet. */
const unsent = new Map<Bun.Socket<Connection>, Buffer>();
function out(socket: Bun.Socket<Connection>, more: Buffer): void {
  const all = Buffer.concat([unsent.get(socket) ?? Buffer.alloc(0), more]);
  unsent.set(socket, all.subarray(Math.max(0, socket.write(all))));
}
