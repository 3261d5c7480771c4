/** The runtime's SQL client for one server: what its errors mean, TLS that verifies, rows by position. */
import { wordsOf } from "../../lib/errors.ts";
import { HIDDEN } from "../_auth/shown.ts";
import type { ServerAddress } from "../_backend/address.ts";
import { BackendError } from "../_backend/errors.ts";
import type { Judgement } from "../_backend/options.ts";
import type { Dialect } from "./query.ts";

export interface SqlServer {
  dialect: Dialect;
  address: ServerAddress;
  username: string;
  password: string;
  database: string;
  pool: number;
  timeoutMs: number;
  /** Keep prepared statements on the server; off for a pooler between them. */
  prepare: boolean;
  /** null = no TLS. */
  tls: Bun.TLSOptions | null;
  /** Whatever is asked changes nothing: not by what it calls, either. */
  readOnly: boolean;
}

/** Rows with their columns in order, whose names the runtime has beside them, for an answer without rows too. */
export type Rows = readonly (readonly unknown[])[] & { readonly columns?: readonly { readonly name: string }[] };

/** Words that the server uses of itself, not of a question: nobody is answered until that is mended. */
const AWAY = /^(?:08|57P03|53300|28|3D000)/;
const MYSQL_AWAY = new Set([1040, 1044, 1045, 1049, 1053, 1129, 1130, 1203, 1698, 3159, 4151]);

/**
 * What a server says to a connection that it ends, and not of a question. PostgreSQL: it is shut down or an administrator has ended this one, another
 * one has crashed it, the database is dropped, too long idle. MariaDB: killed. MySQL: too long idle. Whether somebody is there a new one tells.
 */
const ENDED = new Set<unknown>(["57P01", "57P02", "57P04", "57P05", 1927, 4031]);

export class SqlDriver {
  readonly #sql: Bun.SQL;
  #lost = false;

  constructor(private readonly o: SqlServer) {
    const { dialect, address, username, password, database, pool, timeoutMs, prepare, tls } = o;
    this.#sql = new Bun.SQL({
      adapter: dialect === "mysql" ? "mysql" : "postgres",
      hostname: address.host,
      port: address.port,
      // Where one is empty the runtime would take that of the environment (MYSQL_USER, PGPASSWORD …), which is meant for somebody else.
      username: username === "" ? "root" : username,
      password: () => password,
      database,
      max: pool,
      prepare,
      connectionTimeout: Math.max(1, Math.ceil(timeoutMs / 1000)),
      // MySQL 8, when it does not know the password by its hash, wants it in full: over TLS, or else for its RSA key, which it shows itself.
      ...(dialect === "mysql" && { allowPublicKeyRetrieval: true }),
      // Never `true`, which verifies nothing.
      tls: tls === null ? false : { ...tls, serverName: address.host },
      onclose: (err) => {
        // Also told of those that could not be made.
        this.#lost ||= judgeSql(err) === "lost";
      },
    });
  }

  /** Two columns of one name are two. */
  async rows(text: string, values: readonly string[]): Promise<Rows> {
    // What PostgreSQL cannot hold is in no table: that is no fault of the server's.
    if (this.o.dialect === "postgres" && values.some((v) => v.includes("\0"))) throw new BackendError("refused", "a value has a NUL");
    // Without values `unsafe` would send a text as it is, in which a server takes several statements: prepared, it takes one.
    const ask = (by: Bun.SQL): Promise<Rows> =>
      (values.length === 0 ? by(alone(text)) : by.unsafe(text, [...values])).values() as Promise<Rows>;
    return this.o.readOnly ? await this.#sql.begin("read only", ask) : await ask(this.#sql);
  }

  /** Changes something; in a transaction by `by`. Values as the server's own texts of them, or bytes. */
  async write(
    text: string,
    values: readonly (string | number | Uint8Array | null)[],
    by: Pick<Bun.SQL, "unsafe"> = this.#sql,
  ): Promise<void> {
    await by.unsafe(text, [...values]);
  }

  /** What PostgreSQL takes each value of a statement for: "integer", "jsonb" … */
  async typesOf(text: string): Promise<readonly string[]> {
    const name = `baomq_${crypto.randomUUID().replaceAll("-", "")}`;
    return this.within(async (by) => {
      await by.unsafe(`prepare ${name} as ${text}`);
      const rows = await by`select unnest(parameter_types)::text as type from pg_prepared_statements where name = ${name}`;
      await by.unsafe(`deallocate ${name}`);
      return (rows as { type: string }[]).map(({ type }) => type);
    });
  }

  /** All of it or nothing, by one connection. */
  within<T>(fn: (by: Bun.TransactionSQL) => Promise<T>): Promise<T> {
    return this.#sql.begin(fn);
  }

  /** Since it was last asked. */
  lost(): boolean {
    const lost = this.#lost;
    this.#lost = false;
    return lost;
  }

  close(): Promise<void> {
    return this.#sql.close({ timeout: 0 });
  }
}

/** "ERR_POSTGRES_CONNECTION_CLOSED", a SQLSTATE, or a number of MySQL's. */
export function judgeSql(err: unknown): Judgement {
  const { code, errno } = (err ?? {}) as { code?: unknown; errno?: unknown };
  const word = typeof code === "string" ? code : "";
  if (/_CONNECTION_CLOSED$/.test(word) || ENDED.has(errno)) return "lost";
  if (/_SERVER_ERROR$/.test(word)) {
    if (typeof errno === "string" && /^[0-9A-Z]{5}$/.test(errno)) return AWAY.test(errno) ? "down" : "refused";
    return typeof errno === "number" && MYSQL_AWAY.has(errno) ? "down" : "refused";
  }
  return /SYNTAX|INVALID_(?:BYTE|QUERY)|NOT_TAGGED/.test(word) ? "refused" : "down";
}

/** A value that cannot be what it was to be: it may be a password. SQLSTATE's class 22; MySQL's numbers for wrong, cut or too large ones. */
const OF_A_VALUE = /^22/;
const MYSQL_OF_A_VALUE = new Set([1264, 1265, 1292, 1366, 1411, 1525, 1690]);

/** With the server's own code, which is what people search for; never with what a column holds. */
export function sqlWords(err: unknown): string {
  const { errno, code, message } = (err ?? {}) as { errno?: unknown; code?: unknown; message?: unknown };
  const said = typeof message === "string" && message !== "" ? message : wordsOf(err);
  const ofAValue = OF_A_VALUE.test(String(errno)) || MYSQL_OF_A_VALUE.has(Number(errno));
  const text = ofAValue ? said.replace(/(["']).*\1/s, HIDDEN) : said;
  const which = errno ?? code;
  return which === undefined || text.includes(String(which)) ? text : `${text} (${String(which)})`;
}

/** The same error, with nothing in quotes that is not in `asked`. */
export function withoutAnswers(err: unknown, asked: string): unknown {
  if (!(err instanceof Error)) return err;
  const known = new Set([...OWN_WORDS, ...(asked.toLowerCase().match(WORD) ?? [])]);
  const message = err.message.replace(/(["'])(.*)\1/s, (whole, quote: string, text: string) =>
    (text.toLowerCase().match(WORD) ?? []).every((word) => known.has(word)) ? whole : `${quote}${HIDDEN}${quote}`,
  );
  return Object.assign(new Error(message), { ...err, message });
}

/** Between the quotes of servers: `Unknown column 'a' in 'WHERE'`, `Table 'a.b' doesn't exist`. */
const OWN_WORDS = ["in", "select", "field", "list", "where", "on", "clause", "order", "group", "statement", "doesn", "t"];
const WORD = /[\p{L}\p{N}_$]+/gu;

/** A template that is nothing but this text. */
function alone(text: string): TemplateStringsArray {
  return Object.defineProperty([text], "raw", { value: [text] }) as unknown as TemplateStringsArray;
}
