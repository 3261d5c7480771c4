/** At a start after kill -9: what the redo log has and the database does not goes to the database. Leftovers are swept when the sessions are read. */
import type { Statement } from "bun:sqlite";
import type { Log } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import { RELEASED, SENT } from "./delivery_rows.ts";
import { RedoReader } from "./redo_bytes.ts";
import { namesIn, type RedoFound, type RedoState, readRedo } from "./redo_file.ts";
import { OP } from "./redo_ops.ts";
import {
  CLEAR_RETAINED,
  DELETE_DELAYED,
  DELETE_DELIVERY,
  DELETE_REL,
  DELETE_RETAINED,
  DELETE_SESSION,
  DELETE_SUBSCRIPTION,
  PUT_DELAYED,
  PUT_DELIVERY,
  PUT_MESSAGE,
  PUT_REL,
  PUT_RETAINED,
  PUT_SESSION,
  PUT_SUBSCRIPTION,
  UPDATE_DELIVERY,
} from "./statements.ts";

type Column = string | number | null | Uint8Array;

/** What was lost, in words for the operator; empty = nothing. Afterwards the database has a log of another id, still to be begun. */
export function replayRedo(c: Connection, dir: string, log: Log): { id: string; damage: string[] } {
  const state = c.rows<RedoState>("SELECT id, applied FROM redo")[0] ?? { id: "", applied: 0 };
  const found = readRedo(dir, state);
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex");
  const replay = new Replay(c);
  let applied = 0;
  c.transaction(() => {
    for (const r of found.records) {
      replay.record(new RedoReader(r));
      applied++;
    }
    c.exec("DELETE FROM redo");
    c.exec(`INSERT INTO redo (id, applied) VALUES ('${id}', 0)`);
  });
  return { id, damage: tell(dir, found, applied, log) };
}

function tell(dir: string, found: RedoFound, applied: number, log: Log): string[] {
  if (applied > 0) log.info("what was committed last was brought to the database", { commits: applied });
  if (found.unfinished) log.warn("the redo log ends in a write that is not complete, as a crash leaves it; it is dropped", { dir });
  else if (found.foreign && applied === 0 && found.lost === 0) log.info("the redo log is that of another database, it is dropped", { dir });
  if (found.lost === 0) return [];
  return [
    `the redo log (${namesIn(dir).join(", ")}) is damaged: ${found.lost} commits written last are lost: sessions, queued and retained messages ` +
      "are as they were before. After a loss of power that is what storage.sync = normal allows; else check the disk",
  ];
}

/** What is one statement: its text, and its values. */
const SIMPLE: Record<number, readonly [sql: string, values: (r: RedoReader) => Column[]]> = {
  [OP.MESSAGE]: [PUT_MESSAGE, (r) => [r.uint(), ...message(r)]],
  [OP.RELEASED]: [UPDATE_DELIVERY, (r) => [RELEASED, 0, 0, r.uint(), r.uint()]],
  [OP.DONE]: [DELETE_DELIVERY, (r) => [r.uint(), r.uint()]],
  [OP.REL_DONE]: [DELETE_REL, (r) => [r.uint(), r.uint()]],
  [OP.UNSUBSCRIBE]: [DELETE_SUBSCRIPTION, (r) => [r.uint(), r.string()]],
  [OP.RETAIN]: [PUT_RETAINED, (r) => [r.uint(), ...message(r)]],
  [OP.UNRETAIN]: [DELETE_RETAINED, (r) => [r.uint()]],
  [OP.CLEAR_RETAINED]: [CLEAR_RETAINED, () => []],
  [OP.DELAY]: [PUT_DELAYED, (r) => [r.uint(), r.f64(), ...message(r)]],
  [OP.UNDELAY]: [DELETE_DELAYED, (r) => [r.uint()]],
};

class Replay {
  readonly #statements = new Map<string, Statement<unknown, Column[]>>();
  /** Sessions that ended: nothing that is said of them counts any more. */
  readonly #removed = new Set<number>();

  constructor(private readonly c: Connection) {}

  record(r: RedoReader): void {
    while (r.more) this.#operation(r.u8(), r);
  }

  #operation(op: number, r: RedoReader): void {
    switch (op) {
      case OP.ENQUEUE:
        this.#enqueue(r);
        break;
      case OP.SENT:
        this.#sent(r.uint(), r.uint(), r.uint());
        break;
      case OP.AWAIT_REL:
        this.#of(r.uint(), PUT_REL, r.uint(), r.f64());
        break;
      case OP.OPEN:
        this.#open(r);
        break;
      case OP.REMOVE:
        this.#remove(r.uint());
        break;
      case OP.SUBSCRIBE:
        this.#of(r.uint(), PUT_SUBSCRIPTION, r.string(), r.u8(), r.uint());
        break;
      default: {
        const simple = SIMPLE[op];
        if (simple === undefined) throw new RangeError(`operation ${op} is unknown`);
        this.#run(simple[0], ...simple[1](r));
      }
    }
  }

  #enqueue(r: RedoReader): void {
    const [key, seq, id, flags, packetId] = [r.uint(), r.uint(), r.uint(), r.u8(), r.uint()];
    const subIds = Array.from({ length: r.uint() }, () => r.uint());
    this.#of(key, PUT_DELIVERY, seq, id, flags, packetId, subIds.length === 0 ? null : subIds.join(","));
  }

  #sent(key: number, seq: number, packetId: number): void {
    this.#run(UPDATE_DELIVERY, SENT, packetId, packetId, key, seq);
  }

  #open(r: RedoReader): void {
    const key = r.uint();
    const [clientId, username, version, zone, mountpoint, bits] = [r.string(), r.nullable(), r.u8(), r.string(), r.string(), r.u8()];
    const [ip, createdAt, expiry, disconnectedAt, will] = [r.string(), r.f64(), r.uint(), r.f64(), r.nullable()];
    this.#removed.delete(key);
    this.#run(
      PUT_SESSION,
      key,
      clientId,
      username,
      version,
      zone,
      mountpoint,
      bits & 1,
      (bits >> 1) & 1,
      ip,
      createdAt,
      expiry,
      disconnectedAt,
      will,
      will === null ? null : r.bytes(),
    );
  }

  #remove(key: number): void {
    this.#removed.add(key);
    for (const sql of DELETE_SESSION) this.#run(sql, key);
  }

  /** A row of a session. */
  #of(key: number, sql: string, ...columns: Column[]): void {
    if (!this.#removed.has(key)) this.#run(sql, key, ...columns);
  }

  #run(sql: string, ...columns: Column[]): void {
    let s = this.#statements.get(sql);
    if (s === undefined) {
      s = this.c.prepare<unknown, Column[]>(sql);
      this.#statements.set(sql, s);
    }
    s.run(...columns);
  }
}

/** Values of MESSAGE_COLUMNS; the payload comes last. */
function message(r: RedoReader): Column[] {
  const [topic, flags, sender, username] = [r.string(), r.u8(), r.string(), r.nullable()];
  const [timestamp, expiresAt, properties] = [r.f64(), r.f64(), r.nullable()];
  return [topic, r.bytes(), flags, sender, username, timestamp, expiresAt, properties];
}
