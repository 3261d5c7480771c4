/**
 * Rules that write while many publish, in the executable: to a server that stands still, which no publisher feels, and in a broker that is killed, of
 * which all arrives that was on the disk.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Alarm, RuleRow } from "../../server/api/contract.ts";
import { frameAt } from "../../server/plugins/_sink/frames.ts";
import { RawClient, until } from "../support/clients.ts";
import { firsts } from "../support/clients_durable.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { needing, POSTGRESQL, REDIS } from "../support/peers.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { Rest } from "../support/rest.ts";
import { Postgres } from "../support/servers.ts";

const MIB = 1024 * 1024;
/** Answers that a frozen server owes are awaited longer than any of this lasts: nothing is sent twice for slowness. */
const TIMEOUT_S = 60;
const START = { set: { "listener.tcp.external.max_conn_rate": "0" } };

let baomq: Installation;
let broker: RunningBroker;
beforeAll(() => {
  baomq = new Installation();
});
afterAll(() => baomq?.remove());

const { api } = new Rest(() => broker);

type Metrics = RuleRow["actions"][0]["metrics"];

/** A rule with one action, and the resource of that. Returns how its action is. */
async function writing(
  rawsql: string,
  [type, config]: [string, object],
  [name, params]: [string, object],
): Promise<() => Promise<Metrics>> {
  const { id } = await api<{ id: string }>("POST", "resources/", { name: "there", type, config: { ...config, timeout: TIMEOUT_S } });
  const made = await api<RuleRow>("POST", "rules/", { name: "busy", rawsql, actions: [{ name, params: { $resource: id, ...params } }] });
  return async () => (await api<RuleRow>("GET", `rules/${encodeURIComponent(made.id)}`)).actions[0]?.metrics as Metrics;
}

/** Messages of one client that wait for their PUBACK at a time. */
const WINDOW = 20;

/** Publishes with QoS 1. Returns ms until each was acknowledged. */
async function say(client: RawClient, topic: string, payloads: readonly string[]): Promise<number[]> {
  const took: number[] = [];
  const sent: number[] = [];
  const next = (): void => {
    const payload = payloads[sent.length];
    if (payload === undefined) return;
    sent.push(performance.now());
    client.publish(topic, payload, 1, sent.length);
  };
  client.onPacket = (p) => {
    if (p.cmd !== "puback") return;
    took.push(performance.now() - (sent[(p.messageId ?? 0) - 1] as number));
    next();
  };
  for (let i = 0; i < WINDOW; i++) next();
  await until(() => took.length === payloads.length, "all are acknowledged");
  client.onPacket = null;
  return took;
}

needing(REDIS, describe)("a server that stands still", () => {
  const redis = new RedisServer();
  const SPEAKERS = 10;
  const EACH = 200;
  const ROUNDS = 10;
  beforeAll(() => redis.start());
  afterAll(() => redis.remove());

  interface Round {
    topic: string;
    ms: number;
    /** Of half of the messages, ms. */
    median: number;
  }

  test("publishers do not feel it; what waits is bounded, what is dropped is counted and told, and what waited arrives", async () => {
    broker = await baomq.start({ data: "frozen", ...START });
    const metrics = await writing(
      'SELECT payload.n AS n, payload.more AS more FROM "told/#"',
      ["redis_single", { server: `127.0.0.1:${redis.port}`, password: redis.password }],
      ["data_to_redis", { cmd: "HSET rows ${n} ${more}", queue_size: 1 }],
    );
    const clients = await Promise.all(Array.from({ length: SPEAKERS }, (_, i) => RawClient.connected(broker.ports.tcp, `speaker${i}`)));
    const more = "x".repeat(200);
    const round = async (topic: string, name: string): Promise<Round> => {
      const began = performance.now();
      const all = await Promise.all(
        clients.map((c, i) =>
          say(
            c,
            `${topic}/${i}`,
            Array.from({ length: EACH }, (_, k) => JSON.stringify({ n: `${name}-${i}-${k}`, more })),
          ),
        ),
      );
      const took = all.flat().sort((a, b) => a - b);
      return { topic, ms: performance.now() - began, median: took[took.length >> 1] as number };
    };
    await say(clients[0] as RawClient, "told/0", [JSON.stringify({ n: "first", more })]);
    await until(async () => (await metrics()).success === 1, "it is connected");
    await redis.freeze();

    const rounds: Round[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      rounds.push(await round(i % 2 === 0 ? "other" : "told", String(i)));
      expect((await metrics()).waiting_bytes).toBeLessThanOrEqual(MIB);
    }
    // Whoever waited for the action would wait a minute for each row; a busy machine is slow for both.
    const best = (topic: string, of: "ms" | "median"): number => Math.min(...rounds.flatMap((r) => (r.topic === topic ? [r[of]] : [])));
    expect(best("told", "ms")).toBeLessThan(4 * best("other", "ms") + 200);
    expect(best("told", "median")).toBeLessThan(4 * best("other", "median") + 20);

    const told = 1 + (ROUNDS / 2) * SPEAKERS * EACH;
    await until(async () => (await metrics()).taken === told, "the rule has looked at each");
    const held = await metrics();
    expect([held.success, held.failed, held.dropped + held.waiting]).toEqual([1, 0, told - 1]);
    expect(held.waiting).toBeGreaterThan(SPEAKERS);
    expect(held.dropped).toBeGreaterThan(told / 2);
    const [{ alarms }] = await api<[{ alarms: Alarm[] }]>("GET", "alarms/present/");
    expect(alarms.map(({ desc }) => (desc as { title: string }).title)).toContainEqual(
      expect.stringMatching(/^rule "busy", action data_to_redis: .*the queue is full$/),
    );
    expect(broker.log).toMatch(/the queue is full: messages are dropped .*busy/);

    redis.thaw();
    await until(async () => (await metrics()).waiting === 0, "what waited has arrived");
    const after = await metrics();
    expect([after.success, after.failed, after.dropped]).toEqual([1 + held.waiting, 0, held.dropped]);
    expect(Number(redis.run("HLEN", "rows"))).toBe(after.success);
    // The oldest was dropped, never what came last.
    const last = clients.map((_, i) => `${ROUNDS - 1}-${i}-${EACH - 1}`);
    expect(redis.run("HMGET", "rows", ...last).split("\n")).toEqual(last.map(() => more));
    for (const c of clients) c.drop();
    expect(await broker.stop()).toBe(0);
  });
});

/** The queue that lies in a data directory, as it stands there: looked at, never changed. There is one at most. */
class OnDisk {
  /** Texts of rows by their numbers, which count up as rows come. */
  readonly #rows = new Map<number, string>();
  readonly #done = new Set<number>();
  readonly #read = new Map<string, number>();
  /** The highest number. */
  last = 0;

  constructor(private readonly dataDir: string) {}

  /** Reads what has been added since. */
  look(): this {
    for (const name of [...new Bun.Glob("**/segment-*").scanSync({ cwd: this.dataDir })].sort()) {
      const bytes = this.#bytes(name);
      let at = this.#read.get(name) ?? 0;
      for (let found = frameAt(bytes, at); found !== null && "frame" in found; found = frameAt(bytes, at)) {
        const { frame } = found;
        if (frame.kind === "item") this.#take(frame.seq, frame.item);
        else if (frame.kind === "done")
          for (const [from, count] of frame.ranges) for (let n = from; n < from + count; n++) this.#done.add(n);
        at = found.end;
      }
      this.#read.set(name, at);
    }
    return this;
  }

  #bytes(name: string): Uint8Array {
    try {
      return readFileSync(join(this.dataDir, name));
    } catch {
      // All of it was done, and it was deleted meanwhile.
      return new Uint8Array(0);
    }
  }

  #take(seq: number, item: Uint8Array): void {
    const [, values] = JSON.parse(Buffer.from(item).toString()) as [digest: string, values: [string]];
    this.#rows.set(seq, values[0]);
    this.last = Math.max(this.last, seq);
  }

  /** What is still to be sent. */
  get left(): string[] {
    return [...this.#rows].flatMap(([seq, text]) => (this.#done.has(seq) ? [] : [text]));
  }
}

const PUBLISHERS = 20;

/** Clients that publish 1, 2, 3 … each, one at a time, for as long as the broker lives. */
class Crowd {
  /** Of each the last one that was acknowledged. */
  readonly acked: number[] = Array(PUBLISHERS).fill(0);

  /** `life`: of the broker, so that every row is another one. */
  constructor(readonly life: number) {}

  async come(): Promise<this> {
    const clients = await Promise.all(this.acked.map((_, i) => RawClient.connected(broker.ports.tcp, `p${i}`)));
    // They end with the broker.
    for (const [i, c] of clients.entries()) void this.#speak(c, i).catch(() => {});
    return this;
  }

  async #speak(c: RawClient, i: number): Promise<void> {
    for (let n = 1; ; n++) {
      c.publish(`load/${i}`, JSON.stringify({ row: `${this.life}/${i}/${n}` }), 1, n % 60_000 || 60_000);
      await c.next("puback");
      this.acked[i] = n;
    }
  }

  get total(): number {
    return this.acked.reduce((a, b) => a + b, 0);
  }
}

needing(POSTGRESQL, describe)("kill -9 under load, with the queue on the disk", () => {
  const db = new Postgres();
  beforeAll(async () => {
    await db.start();
    db.run("create database rules");
    db.run("create table written (id bigserial, line text)", "rules");
    // So that some statements are under way whenever somebody dies.
    db.run(
      "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.02); return null; end'; " +
        "create trigger slow before insert on written for each statement execute function slow()",
      "rules",
    );
  });
  afterAll(() => db.remove());

  const lines = (sql: string): string[] => db.run(sql, "rules").split("\n").filter(Boolean);
  const written = (): string[] => lines("select line from written order by id");
  /** The highest number on the disk when the broker died last. */
  let numbered = 0;
  const onDisk = (): OnDisk => new OnDisk(broker.dataDir).look();

  /** Kills the broker when all that was acknowledged at some moment is on the disk, or was, and others are on their way. Returns what that was. */
  async function killed(crowd: Crowd): Promise<readonly number[]> {
    const promised = [...crowd.acked];
    // Rows are numbered as they come, and of each client one more may have come.
    const enough = numbered + crowd.total + PUBLISHERS;
    const disk = new OnDisk(broker.dataDir);
    await until(() => disk.look().last >= enough, "it is on the disk");
    await broker.crash();
    numbered = onDisk().last;
    return promised;
  }

  /** What is there, and what lies on the disk: each row as often as it is to be there in the end. */
  async function owed(): Promise<string[]> {
    const others = "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
    await until(() => lines(others).length === 0, "what the dead one has asked for is done");
    return [...written(), ...onDisk().left].sort();
  }

  async function restarted(all: readonly string[], metrics: () => Promise<Metrics>): Promise<void> {
    broker = await broker.restart();
    await until(() => written().length >= all.length, "what lay on the disk arrives");
    await until(async () => (await metrics()).waiting === 0, "no more is to come");
    expect(written().sort()).toEqual([...all]);
  }

  test("what was acknowledged and on the disk is written, nothing of it twice but what the server had taken without a word", async () => {
    broker = await baomq.start({ data: "killed", ...START });
    const metrics = await writing(
      'SELECT payload.row AS line FROM "load/#"',
      ["pgsql", { server: `127.0.0.1:${db.port}`, database: "rules", user: db.user, password: db.password }],
      ["data_to_pgsql", { sql: "INSERT INTO written (line) VALUES (${line})", disk_size: 64 }],
    );
    const promised: (readonly number[])[] = [];

    // The server writes as fast as it can.
    let crowd = await new Crowd(0).come();
    await until(async () => crowd.total > 1000 && (await metrics()).success > 500, "many are written");
    promised.push(await killed(crowd));
    await restarted(await owed(), metrics);

    // It stands still, also while the broker starts again.
    crowd = await new Crowd(1).come();
    await until(() => crowd.total > 300, "some are written");
    await db.freeze();
    const soFar = crowd.total;
    await until(() => crowd.total > soFar + 1000, "others wait");
    promised.push(await killed(crowd));
    expect(onDisk().left.length).toBeGreaterThan(900);
    broker = await broker.restart();
    crowd = await new Crowd(2).come();
    await until(() => crowd.total > 1000, "more comes behind them");
    promised.push(await killed(crowd));
    db.thaw();
    await restarted(await owed(), metrics);

    const numbers = written().map((line) => line.split("/").map(Number) as [life: number, client: number, n: number]);
    for (const [life, counts] of promised.entries())
      for (const [i, count] of counts.entries()) {
        const came = firsts(numbers.flatMap(([l, client, n]) => (l === life && client === i ? [n] : [])));
        // In order, and without a gap: what the kill found in memory is what came last.
        expect(came).toEqual(came.map((_, k) => k + 1));
        expect(came.length).toBeGreaterThanOrEqual(count);
      }
    expect(await broker.stop()).toBe(0);
  });
});
