/** MySQL, MariaDB and PostgreSQL. */
import { shownAddress } from "../_backend/address.ts";
import type { SettingKeys } from "../_backend/advice.ts";
import { SQL_ADVICE } from "../_sql/advice.ts";
import { SqlDriver, sqlWords } from "../_sql/driver.ts";
import type { Dialect } from "../_sql/query.ts";
import { actionKind, resourceKind } from "./connector.ts";
import * as P from "./params.ts";
import { compileStatement } from "./sql_statement.ts";
import { judgeSqlWrite, sqlWriting } from "./sql_writer.ts";

const KEYS: SettingKeys = {
  server: "server",
  timeout: "timeout",
  pool: "pool_size",
  account: "user, password",
  database: "database",
  tls: "ssl",
  trust: "cacertfile",
  verify: "verify",
  certificate: "certfile, keyfile",
  prepare: "prepare",
};

interface Kind {
  readonly name: string;
  readonly title: string;
  readonly dialect: Dialect;
  readonly port: number;
  readonly user: string;
}

const KINDS: readonly Kind[] = [
  { name: "mysql", title: "MySQL", dialect: "mysql", port: 3306, user: "root" },
  { name: "pgsql", title: "PostgreSQL", dialect: "postgres", port: 5432, user: "postgres" },
];

const resourceOf = ({ name, title, dialect, port, user }: Kind) =>
  resourceKind({
    name,
    title,
    description: `${title}${dialect === "mysql" ? " or MariaDB" : ""}`,
    params: {
      server: P.text(`127.0.0.1:${port}`, "Server", "Its host and port."),
      database: P.needed("Database", "The database that has the tables."),
      user: P.text(user, "User", "Account at the server."),
      password: P.secret("Password", "Its password."),
      ...P.poolParam(8),
      ...P.TIMEOUT,
      prepare: P.flag(true, "Prepare", "Keep prepared statements on the server; off behind a pooler in transaction mode."),
      ...P.TLS,
    },
    keys: KEYS,
    advice: SQL_ADVICE,
    judge: judgeSqlWrite,
    plain: sqlWords,
    open(c, _host, trying) {
      const address = P.serverIn("server", c.server, port);
      const [tls, timeoutMs] = [P.tlsIn(c), 1000 * c.timeout];
      const server = { dialect, address, username: c.user, password: c.password, database: c.database, pool: c.pool_size, timeoutMs, tls };
      return {
        what: `${title} at ${shownAddress(address)}`,
        open: () => new SqlDriver({ ...server, prepare: c.prepare, readOnly: trying }),
        close: (driver: SqlDriver) => driver.close(),
        lost: (driver: SqlDriver) => driver.lost(),
        probe: (driver: SqlDriver) => driver.rows("select 1", []),
        pool: c.pool_size,
        timeoutMs,
        // A transaction may have begun: it is the queue that sends again.
        retries: c.pool_size + 1,
      };
    },
  });

const actionOf = ({ name, title, dialect }: Kind) =>
  actionKind([name], {
    name: `data_to_${name}`,
    title: `Data to ${title}`,
    description: `Store data in ${title}`,
    params: {
      sql: {
        ...P.needed("SQL", "A statement; what stands in it for a value, such as $" + "{payload.t}, is bound."),
        format: "sql",
      },
    },
    open: ({ sql }) => sqlWriting(dialect, compileStatement(sql, dialect)),
  });

export const SQL = { resources: KINDS.map(resourceOf), actions: KINDS.map(actionOf) };
