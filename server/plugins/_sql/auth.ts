/** Users and rules in tables (`mqtt_user`, `mqtt_acl`): what EMQ X 3.1's plugins for MySQL and PostgreSQL ask, and how rows are read. */

import type { ClientInfo } from "../../core/types.ts";
import { askNoted, shownValue, type Told } from "../_auth/asking.ts";
import { columnText, userOf } from "../_auth/columns.ts";
import { type Lookup, lookupAuth } from "../_auth/lookup.ts";
import { oddAnswers } from "../_auth/odd_answers.ts";
import { isOnlyAlike, meansDeny, RULES_MAX, type Rule, type RuleSet, ruleOfRow } from "../_auth/rules.ts";
import type { Source, SourceHost } from "../_auth/source.ts";
import type { StoredKind } from "../_auth/stored.ts";
import { shownAddress } from "../_backend/address.ts";
import { advised, asQuestion, type SettingKeys } from "../_backend/advice.ts";
import { Backend } from "../_backend/backend.ts";
import { type Rank, rankOf } from "../_backend/calls.ts";
import { BackendError } from "../_backend/errors.ts";
import { variableValue } from "../_backend/template.ts";
import { SQL_ADVICE } from "./advice.ts";
import { judgeSql, type Rows, SqlDriver, type SqlServer, sqlWords, withoutAnswers } from "./driver.ts";
import { compileQuery, type Query } from "./query.ts";
import { namesOf, rulesTold, superTold, userTold } from "./shown.ts";

export interface SqlAuthSettings {
  /** For people: "PostgreSQL". */
  title: string;
  server: Omit<SqlServer, "readOnly">;
  /** Where to look when it fails. */
  keys: SettingKeys;
  /** Texts as written, with the keys they stand under; "" = that is not asked. */
  queries: Readonly<Record<"auth" | "super" | "acl", { key: string; text: string }>>;
  hash: StoredKind;
  /** The key it stands under. */
  hashKey: string;
  /** Names have to be spelt as in the tables, which may look past case, accents and spaces at the end; with the key it stands under. null = the server sees to it. */
  matchCase: { key: string; on: boolean } | null;
}

/** @throws Error naming the key whose query cannot be used */
export function sqlSource(host: SourceHost, o: SqlAuthSettings): Source {
  const server = { ...o.server, pool: host.pool(o.server.pool) };
  const queries = compileAll(o);
  tellUnmatched(host, o, queries);
  const what = `${o.title} at ${shownAddress(server.address)}`;
  const backend = new Backend<SqlDriver>(
    host,
    {
      what,
      open: () => new SqlDriver({ ...server, readOnly: host.onlyTries }),
      close: (driver) => driver.close(),
      lost: (driver) => driver.lost(),
      probe: (driver) => driver.rows("select 1", []),
      ...advised({ judge: judgeSql, table: SQL_ADVICE, keys: o.keys, plain: sqlWords }),
      pool: server.pool,
      perConnection: 8,
      timeoutMs: server.timeoutMs,
      alarm: "down",
      // Each connection may have been lost.
      retries: server.pool + 1,
      probeProves: true,
    },
    host.figures(what),
  );
  const odd = oddAnswers(host);

  function ask(
    key: string,
    query: Query,
    client: ClientInfo,
    told: (rows: Rows) => Told,
    wanted?: () => boolean,
    rank?: Rank,
  ): Promise<Rows> {
    const valuesOf = (client: ClientInfo): string[] => query.values.map((v) => variableValue(v, { client }));
    const values = valuesOf(client);
    const shown = (client: ClientInfo): string[] => valuesOf(client).map((v, i) => `${i + 1} = ${shownValue(v)}`);
    return askNoted(
      host.clock,
      client,
      query.text,
      shown,
      (unnoticed) => backend.ask((d) => asQuestion(key, rowsOf(d, key, query.text, values)), wanted, unnoticed, rank),
      told,
    );
  }

  /** An error may hold what a function was given: of a question that is only tried, what stands in quotes is in its text, or is not told. */
  const rowsOf = (driver: SqlDriver, key: string, text: string, values: readonly string[]): Promise<Rows> =>
    driver.rows(text, values).catch((err: unknown) => {
      throw host.isSaved(key) ? err : withoutAnswers(err, `${text} ${server.database}`);
    });

  const lookup: Lookup = {
    user: asked(queries.auth, async (query, client, wanted) => {
      const [row, second] = await ask(o.queries.auth.key, query, client, userTold, wanted);
      if (row === undefined) return null;
      if (second !== undefined) odd(client)(o.queries.auth.key, "the query has more than one row for a user; the first one counts");
      // Columns by position.
      const [password, salt] = row;
      return userOf(password, salt);
    }),
    isSuper: asked(queries.super, async (query, client, wanted) => {
      const [row] = await ask(o.queries.super.key, query, client, (rows) => superTold(rows, host.isSaved(o.queries.super.key)), wanted);
      return isTrue(row?.[0]);
    }),
    rules: queries.acl === null ? null : (client) => rulesOf(queries.acl as Query, client),
    ...(o.matchCase?.on === true && { spelling: o.matchCase.key }),
    keys: { user: o.queries.auth.key, isSuper: o.queries.super.key, rules: o.queries.acl.key, hash: o.hashKey },
  };

  async function rulesOf(query: Query, client: ClientInfo): Promise<RuleSet> {
    const isSaved = host.isSaved(o.queries.acl.key);
    const rows = await ask(o.queries.acl.key, query, client, (rows) => rulesTold(rows, client, isSaved), undefined, rankOf(client));
    if (rows.length > RULES_MAX) throw new BackendError("refused", `${rows.length} rules for one client, at most ${RULES_MAX}`);
    if (rows.some((row) => isOnlyAlike(columnText(row[2]), client.username)))
      odd(client)(
        o.queries.acl.key,
        "rows of a user name spelt otherwise were found: compare byte by byte, in MySQL with `binary username = '%u'` or auth.mysql.match_case = on",
      );
    const rules: Rule[] = [];
    const names = isSaved ? namesOf(rows) : null;
    for (const [i, row] of rows.entries()) {
      const rule = ruleOfRow(row, names, `row ${i + 1}: `);
      if (typeof rule !== "string") rules.push(rule);
      else if (meansDeny(row)) {
        const what = `a row that may be meant to deny is no rule: ${rule}`;
        // What follows is no fault of the server's, in whose state it would be told.
        odd(client)(o.queries.acl.key, `${what}; it denies everything`);
        throw new BackendError("refused", `${o.queries.acl.key}: ${what}`);
      } else odd(client)(o.queries.acl.key, `a row is left out: ${rule}`);
    }
    // EMQ X 3.1 put each row before the ones it had: the last one is looked at first.
    return { rules: rules.reverse(), otherwise: "pass" };
  }

  return {
    auth: lookupAuth(
      host,
      lookup,
      () => o.hash,
      (client, what) => odd(client)(o.queries.auth.key, what),
    ),
    backends: [backend],
  };
}

type Question<T> = (client: ClientInfo, wanted: () => boolean) => Promise<T>;

/** null = that is not asked. */
function asked<T>(query: Query | null, ask: (query: Query, client: ClientInfo, wanted: () => boolean) => Promise<T>): Question<T> | null {
  return query === null ? null : (client, wanted) => ask(query, client, wanted);
}

type Compiled = Record<"auth" | "super" | "acl", Query | null>;

/** What a question compares otherwise, `lower(…)` or `like`, may be meant so. */
function tellUnmatched({ log, onlyTries }: SourceHost, { matchCase, queries }: SqlAuthSettings, compiled: Compiled): void {
  if (onlyTries || matchCase === null) return;
  for (const name of ["auth", "super", "acl"] as const) {
    const { key } = queries[name];
    const names = [...new Set(compiled[name]?.asTheTable.map((v) => `%${v}`))];
    if (names.length > 0)
      log.warn(
        "names are compared as the table does, whatever match_case says: it sees to those that stand alone behind a column and `=` or `in`",
        {
          key: matchCase.key,
          query: key,
          names,
        },
      );
  }
}

function compileAll({ queries, server, matchCase }: SqlAuthSettings): Compiled {
  const compiled = { auth: null, super: null, acl: null } as Compiled;
  for (const name of ["auth", "super", "acl"] as const) {
    const { key, text } = queries[name];
    if (text.trim() === "") continue;
    const query = compileQuery(text, server.dialect, matchCase?.on === true);
    if (typeof query === "string") throw new Error(`${key}: ${query}`);
    compiled[name] = query;
  }
  return compiled;
}

/** MySQL's 1, PostgreSQL's true, and their texts. */
function isTrue(value: unknown): boolean {
  return value === true || ["1", "true", "t"].includes((columnText(value) ?? "").toLowerCase());
}
