/** The tables that emqx_auth_mysql and emqx_auth_pgsql ask by default, as EMQ X 3.1 documented them. */
import { type Command, take, UsageError } from "../command.ts";

/**
 * Names compare byte by byte but for blanks at the end: with MySQL's usual collation `U7` would find `u7`. One that minds the blanks, too, has no
 * name that both servers know (MySQL 8: utf8mb4_0900_bin, MariaDB: utf8mb4_nopad_bin); `auth.mysql.match_case` minds them.
 */
const MYSQL = `CREATE TABLE mqtt_user (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  username varchar(100) NOT NULL UNIQUE,
  password varchar(200) DEFAULT NULL,
  salt varchar(100) DEFAULT NULL,
  is_superuser tinyint(1) NOT NULL DEFAULT 0,
  created datetime DEFAULT CURRENT_TIMESTAMP
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE mqtt_acl (
  id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  allow int NOT NULL COMMENT '0: deny, 1: allow',
  ipaddr varchar(60) DEFAULT NULL COMMENT 'address or range',
  username varchar(100) DEFAULT NULL COMMENT '$all: everybody',
  clientid varchar(100) DEFAULT NULL,
  access int NOT NULL COMMENT '1: subscribe, 2: publish, 3: both',
  topic varchar(200) NOT NULL DEFAULT '' COMMENT 'filter, with %u and %c as levels; "eq " before it: literally',
  KEY (username), KEY (clientid), KEY (ipaddr)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
`;

const PGSQL = `CREATE TABLE mqtt_user (
  id serial PRIMARY KEY,
  username varchar(100) NOT NULL UNIQUE,
  password varchar(200),
  salt varchar(100),
  is_superuser boolean NOT NULL DEFAULT false,
  created timestamptz DEFAULT now()
);

CREATE TABLE mqtt_acl (
  id serial PRIMARY KEY,
  allow int NOT NULL,            -- 0: deny, 1: allow
  ipaddr varchar(60),            -- address or range
  username varchar(100),         -- $all: everybody
  clientid varchar(100),
  access int NOT NULL,           -- 1: subscribe, 2: publish, 3: both
  topic varchar(200) NOT NULL    -- filter, with %u and %c as levels; "eq " before it: literally
);
CREATE INDEX ON mqtt_acl (username);
CREATE INDEX ON mqtt_acl (clientid);
CREATE INDEX ON mqtt_acl (ipaddr);
`;

/** The last row is looked at first: what holds for everybody comes before what holds for somebody. */
const RULES = `
INSERT INTO mqtt_acl (allow, ipaddr, username, clientid, access, topic) VALUES
  (1, NULL, '$all', NULL, 2, '#'),
  (0, NULL, '$all', NULL, 1, '$SYS/#'),
  (0, NULL, '$all', NULL, 1, 'eq #'),
  (1, '127.0.0.1', NULL, NULL, 2, '$SYS/#'),
  (1, '127.0.0.1', NULL, NULL, 2, '#'),
  (1, NULL, 'dashboard', NULL, 1, '$SYS/#');`;

const TABLES: Readonly<Record<string, string>> = { mysql: MYSQL, pgsql: PGSQL };

export const schemaCommands: readonly Command[] = [
  {
    name: "sql-schema",
    usage: [
      ["sql-schema mysql", "Print the tables that emqx_auth_mysql asks"],
      ["sql-schema pgsql", "Print the tables that emqx_auth_pgsql asks"],
    ],
    async run(ctx, args) {
      const [kind = ""] = take(args, 1);
      const tables = Object.hasOwn(TABLES, kind) ? TABLES[kind] : undefined;
      if (tables === undefined) throw new UsageError();
      const text = `${tables}${RULES}`;
      ctx.show({ sql: text }, text.split("\n"));
    },
  },
];
