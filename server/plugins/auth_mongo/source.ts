/** Users and rules as documents: what EMQ X 3.1's plugin asks, and how the answers are read. */
import type { ClientInfo } from "../../core/types.ts";
import { askNoted, shownValue, type Told } from "../_auth/asking.ts";
import { userOf } from "../_auth/columns.ts";
import { type Lookup, lookupAuth } from "../_auth/lookup.ts";
import { type OddAnswers, oddAnswers } from "../_auth/odd_answers.ts";
import { allowRule, RULES_MAX, type Rule, type RuleSet } from "../_auth/rules.ts";
import type { Source, SourceHost } from "../_auth/source.ts";
import type { StoredKind } from "../_auth/stored.ts";
import { shownAddresses } from "../_backend/address.ts";
import { advised, asQuestion } from "../_backend/advice.ts";
import { Backend } from "../_backend/backend.ts";
import { type Rank, rankOf } from "../_backend/calls.ts";
import { BackendError } from "../_backend/errors.ts";
import { MONGO_ADVICE } from "../_mongo/advice.ts";
import type { Document } from "../_mongo/document.ts";
import { judgeMongo, MongoDriver, type MongoServers } from "../_mongo/driver.ts";
import { MONGO_KEYS } from "./advice.ts";
import { fillSelector, type Selector } from "./selector.ts";
import { filtersIn, rulesTold, superTold, TOPICS, userTold } from "./shown.ts";

interface Question {
  collection: string;
  selector: Selector;
}

export interface MongoAuthSettings {
  servers: MongoServers;
  /** `fields`: of the password, and of the salt if there is one. */
  auth: Question & { fields: readonly string[] };
  /** null = nobody is asked who is a super user. */
  isSuper: (Question & { field: string }) | null;
  /** One document for each selector. null = no rules. */
  acl: { collection: string; selectors: readonly Selector[] } | null;
  hash: StoredKind;
}

export function mongoSource(host: SourceHost, o: MongoAuthSettings): Source {
  const backend = backendOf(host, { ...o.servers, pool: host.pool(o.servers.pool) });
  const odd = oddAnswers(host);

  function ask(
    key: string,
    { collection, selector }: Question,
    fields: readonly string[],
    client: ClientInfo,
    told: (found: Document | null) => Told,
    wanted?: () => boolean,
    rank?: Rank,
  ): Promise<Document | null> {
    const filter = fillSelector(selector, { client });
    const shown = (client: ClientInfo): string[] =>
      Object.entries(fillSelector(selector, { client })).map(([name, value]) => `${name} = ${shownValue(value)}`);
    const question = `find ${collection} ${selector.text}`;
    return askNoted(
      host.clock,
      client,
      question,
      shown,
      (unnoticed) => backend.ask((d) => asQuestion(key, d.first(collection, filter, fields)), wanted, unnoticed, rank),
      told,
    );
  }

  const lookup: Lookup = {
    async user(client, wanted) {
      const found = await ask(
        "auth.mongo.auth_query.collection",
        o.auth,
        o.auth.fields,
        client,
        (found) => userTold(o.auth.fields, found),
        wanted,
      );
      if (found === null) return null;
      const [password = "", salt = ""] = o.auth.fields;
      return userOf(found[password], found[salt]);
    },
    isSuper: o.isSuper === null ? null : superIn(o.isSuper),
    rules: o.acl === null ? null : rules,
    keys: {
      user: "auth.mongo.auth_query.selector",
      isSuper: "auth.mongo.super_query",
      rules: "auth.mongo.acl_query",
      hash: "auth.mongo.auth_query.password_hash",
    },
  };

  function superIn(question: Question & { field: string }): Lookup["isSuper"] {
    const { field } = question;
    return async (client, wanted) =>
      (await ask("auth.mongo.super_query.collection", question, [field], client, (found) => superTold(field, found), wanted))?.[field] ===
      true;
  }

  async function rules(client: ClientInfo): Promise<RuleSet> {
    const { collection, selectors } = o.acl as NonNullable<typeof o.acl>;
    const told = (found: Document | null): Told => rulesTold(found, client);
    const found = await Promise.all(
      selectors.map((selector) =>
        ask("auth.mongo.acl_query.collection", { collection, selector }, Object.keys(TOPICS), client, told, undefined, rankOf(client)),
      ),
    );
    const documents = found.filter((document) => document !== null);
    // Who has any rules may do nothing else (EMQ X 3.1).
    return { rules: documents.flatMap((document) => rulesOf(document, odd(client))), otherwise: documents.length === 0 ? "pass" : "deny" };
  }

  return {
    auth: lookupAuth(
      host,
      lookup,
      () => o.hash,
      (client, what) => odd(client)("auth.mongo.auth_query.collection", what),
    ),
    backends: [backend],
  };
}

function backendOf(host: SourceHost, servers: MongoServers): Backend<MongoDriver> {
  const options = {
    what: `MongoDB at ${shownAddresses(servers.addresses)}`,
    open: () => MongoDriver.open(servers),
    close: (driver: MongoDriver) => driver.close(),
    lost: (driver: MongoDriver) => driver.lost(),
    probe: (driver: MongoDriver) => driver.probe(),
    ...advised({ judge: judgeMongo, table: MONGO_ADVICE, keys: MONGO_KEYS }),
    pool: servers.pool,
    perConnection: 1,
    timeoutMs: servers.timeoutMs,
    alarm: "down",
    // With the first lost connection the driver throws all of them away.
    retries: 2,
    probeProves: true,
  };
  return new Backend<MongoDriver>(host, options, host.figures(options.what));
}

function rulesOf(document: Document, odd: OddAnswers): Rule[] {
  const rules: Rule[] = [];
  for (const [field, access] of Object.entries(TOPICS)) {
    const filters = filtersIn(document, field);
    if (filters.length > RULES_MAX) throw new BackendError("refused", `${filters.length} rules for one client, at most ${RULES_MAX}`);
    for (const filter of filters) {
      const rule = allowRule(filter, access);
      if (rule === null) odd("auth.mongo.acl_query.collection", `a rule is left out: ${field} holds something that is no topic filter`);
      else rules.push(rule);
    }
  }
  return rules;
}
