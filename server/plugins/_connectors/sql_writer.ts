/** Batches into MySQL or PostgreSQL: as few statements as can be, all or nothing, and without the rows that the server refuses. */
import { wordsOf } from "../../lib/errors.ts";
import { asQuestion } from "../_backend/advice.ts";
import { BackendError, notWanted } from "../_backend/errors.ts";
import type { Judgement } from "../_backend/options.ts";
import { judgeSql, type SqlDriver } from "../_sql/driver.ts";
import type { Dialect } from "../_sql/query.ts";
import type { Attempt, Missing, Writing } from "./connector.ts";
import { ownBytes, type Scalar, utf8Of } from "./item.ts";
import { isArrayType, postgresArray } from "./postgres_array.ts";
import type { Statement } from "./sql_statement.ts";

/** Conflicts between transactions, and what may be mended without touching the row: no such table or column, no right, no room, a replica. */
const LATER = /^(?:40|53|25006|42P01|42703|42501|3F000|55P03|57014)/;
const MYSQL_LATER = new Set([1020, 1021, 1036, 1044, 1054, 1114, 1142, 1143, 1146, 1205, 1206, 1213, 1290, 1792, 1836, 3024]);

/** PostgreSQL's 42501 of a row, not of the account's right to the table: its policies do not let it in, or a trigger says so. */
const NO_RIGHT = "42501";
const OF_A_ROW = new Set(["ExecWithCheckOptions", "exec_stmt_raise"]);

/** The server has ended a transaction of several rows over one of them: nothing of it is there. */
class TransactionEnded extends Error {
  override readonly name = "TransactionEnded";
}

export function judgeSqlWrite(err: unknown): Judgement {
  if (err instanceof TransactionEnded) return "part";
  const judged = judgeSql(err);
  if (judged !== "refused") return judged;
  const { errno, routine } = (err ?? {}) as { errno?: unknown; routine?: unknown };
  if (errno === NO_RIGHT && OF_A_ROW.has(String(routine))) return "refused";
  const later = typeof errno === "number" ? MYSQL_LATER.has(errno) : typeof errno === "string" && LATER.test(errno);
  // Other statements may be taken: nobody else has to wait for that.
  return later ? "part" : "refused";
}

/** Values as they wait: bytes that are UTF-8 are a text. */
type Item = readonly Scalar[];

export function sqlWriting(dialect: Dialect, statement: Statement): Writing<SqlDriver, Item> {
  const types = new TypesOf(dialect, statement);
  return {
    make: (row) =>
      statement.template.values(row).map((value) => (value instanceof Uint8Array ? (utf8Of(value) ?? ownBytes(value)) : value)),
    shown: (values) => JSON.stringify(values.map((v) => (v instanceof Uint8Array ? `\\x${Buffer.from(v).toString("hex")}` : v))),
    // Values have places, no names.
    meaning: statement.template.source,
    async write(driver, items, attempt) {
      const known = await asQuestion("sql", types.of(driver));
      const batch = new SqlBatch(driver, dialect, statement, known, items, attempt);
      return batch.write();
    },
  };
}

/** What PostgreSQL takes each value for, asked once for each of its drivers: connections of one driver are to one server. */
class TypesOf {
  readonly #known = new WeakMap<SqlDriver, readonly string[]>();

  constructor(
    private readonly dialect: Dialect,
    private readonly statement: Statement,
  ) {}

  async of(driver: SqlDriver): Promise<readonly string[]> {
    if (this.dialect === "mysql" || this.statement.width === 0) return [];
    const known = this.#known.get(driver) ?? (await driver.typesOf(this.statement.text(1)));
    this.#known.set(driver, known);
    return known;
  }
}

type Bound = string | number | Uint8Array | null;

class SqlBatch {
  readonly #missing = new Map<number, unknown>();
  readonly #values: (readonly Bound[])[] = [];
  /** Those that can be sent at all. */
  readonly #sendable: number[] = [];

  constructor(
    private readonly driver: SqlDriver,
    private readonly dialect: Dialect,
    private readonly statement: Statement,
    private readonly types: readonly string[],
    items: readonly Item[],
    private readonly attempt: Attempt,
  ) {
    for (const [i, item] of items.entries()) {
      try {
        this.#values.push(item.map((value, at) => (dialect === "mysql" ? mysqlValue(value) : postgresValue(value, types[at] ?? ""))));
        this.#sendable.push(i);
      } catch (err) {
        this.#values.push([]);
        this.#missing.set(i, err);
      }
    }
  }

  async write(): Promise<Missing> {
    const all = this.#sendable;
    if (all.length === 0) return this.#missing;
    try {
      if (this.#isOneStatement(all)) await this.#run(all);
      else await this.#within((by) => this.#all(all, by));
    } catch (err) {
      if (judgeSqlWrite(err) !== "refused") throw err;
      if (all.length === 1) this.#missing.set(all[0] as number, err);
      else await this.#within((by) => this.#sortedAll(all, by));
    }
    return this.#missing;
  }

  /** A transaction, which is taken back where nobody waits for its end any more: its rows are sent again. */
  #within(fn: (by: Bun.TransactionSQL) => Promise<void>): Promise<void> {
    return this.driver.within(async (by) => {
      await fn(by);
      this.#goOn();
    });
  }

  #goOn(): void {
    if (!this.attempt.wanted()) throw notWanted();
  }

  /** Sizes are powers of two: a server keeps a statement for each that there was. One is stored as it ends, whoever waits for that. */
  #isOneStatement(rows: readonly number[]): boolean {
    return !this.attempt.careful && rows.length <= this.statement.most && (rows.length & (rows.length - 1)) === 0;
  }

  async #all(rows: readonly number[], by: Bun.TransactionSQL): Promise<void> {
    for (let at = 0; at < rows.length; ) {
      const size = Math.min(this.statement.most, 2 ** Math.floor(Math.log2(rows.length - at)));
      await this.#run(rows.slice(at, at + size), by);
      at += size;
    }
  }

  async #run(rows: readonly number[], by?: Bun.TransactionSQL): Promise<void> {
    this.#goOn();
    const values = rows.flatMap((i) => this.#values[i] as Bound[]);
    await asQuestion("sql", this.driver.write(this.statement.text(rows.length, this.types), values, by));
  }

  async #sortedAll(rows: readonly number[], by: Bun.TransactionSQL): Promise<void> {
    // What a constraint would look at as the transaction ends would be all of them then.
    if (this.dialect === "postgres") await by.unsafe("set constraints all immediate");
    await this.#sorted(rows, by);
  }

  /** Halves of what was refused, until it is known which rows that were. */
  async #sorted(rows: readonly number[], by: Bun.TransactionSQL): Promise<void> {
    const err = await this.#refusal(rows, by);
    if (err === null) return;
    const [only] = rows;
    if (rows.length === 1 && only !== undefined) {
      this.#missing.set(only, err);
      return;
    }
    const half = Math.ceil(rows.length / 2);
    await this.#sorted(rows.slice(0, half), by);
    await this.#sorted(rows.slice(half), by);
  }

  /**
   * Why these rows are refused; null = they are written. A deadlock ends the whole transaction (MySQL, 1213), savepoints and all: then there is
   * none to go back to, and what came before in the transaction is gone with it.
   * @throws what ends the transaction
   */
  async #refusal(rows: readonly number[], by: Bun.TransactionSQL): Promise<unknown> {
    let why: unknown = null;
    try {
      await by.savepoint(async (point) => {
        try {
          await this.#all(rows, point as Bun.TransactionSQL);
        } catch (err) {
          why = err;
          throw err;
        }
      });
      return null;
    } catch (err) {
      if (judgeSqlWrite(why ?? err) !== "refused") throw why ?? err;
      if (err !== why) throw new TransactionEnded(`the transaction was ended: ${wordsOf(why ?? err)}`);
      return err;
    }
  }
}

function mysqlValue(value: Scalar): Bound {
  return typeof value === "boolean" ? Number(value) : value;
}

/** As text, which PostgreSQL reads as whatever the column is; by the runtime's own types each mixture of values would be a statement of its own. */
function postgresValue(value: Scalar, type: string): Bound {
  if (value === null) return null;
  if (type === "bytea") return value instanceof Uint8Array ? value : Buffer.from(String(value));
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString("hex")}`;
  const array = typeof value === "string" && isArrayType(type) ? postgresArray(value, type) : null;
  const text =
    array ??
    (typeof value === "boolean" && /^(?:smallint|integer|bigint|numeric|real|double precision)$/.test(type)
      ? String(Number(value))
      : String(value));
  if (text.includes("\0")) throw new BackendError("refused", "a value has a NUL, which PostgreSQL keeps in bytea alone");
  return text;
}
