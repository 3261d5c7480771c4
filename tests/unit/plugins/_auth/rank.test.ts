/** In which line the questions of a plugin wait: who logs in goes before what somebody may do who is in. */
import { afterAll, expect, spyOn, test } from "bun:test";
import { Backend } from "../../../../server/plugins/_backend/backend.ts";
import type { Rank } from "../../../../server/plugins/_backend/calls.ts";
import { BackendError } from "../../../../server/plugins/_backend/errors.ts";
import { authHttp } from "../../../../server/plugins/auth_http/index.ts";
import { authLdap } from "../../../../server/plugins/auth_ldap/index.ts";
import { authMongo } from "../../../../server/plugins/auth_mongo/index.ts";
import { authMysql } from "../../../../server/plugins/auth_mysql/index.ts";
import { authPgsql } from "../../../../server/plugins/auth_pgsql/index.ts";
import { authRedis } from "../../../../server/plugins/auth_redis/index.ts";
import { aClient } from "../../../support/access.ts";
import { removeTempDirs, running } from "../harness.ts";

afterAll(removeTempDirs);

const NOWHERE = "127.0.0.1:1";
const ACL_QUERY = "select allow, ipaddr, username, clientid, access, topic from mqtt_acl where username = '%u'";

for (const [plugin, settings] of [
  [authMysql, { "auth.mysql.server": NOWHERE, "auth.mysql.acl_query": ACL_QUERY }],
  [authPgsql, { "auth.pgsql.server": NOWHERE, "auth.pgsql.acl_query": ACL_QUERY }],
  [authRedis, { "auth.redis.server": NOWHERE, "auth.redis.acl_cmd": "HGETALL mqtt_acl:%u" }],
  [authMongo, { "auth.mongo.server": NOWHERE, "auth.mongo.acl_query": "on" }],
  [authLdap, { "auth.ldap.servers": "127.0.0.1", "auth.ldap.port": "1" }],
  [authHttp, { "auth.http.auth_req": `http://${NOWHERE}/auth`, "auth.http.acl_req": `http://${NOWHERE}/acl` }],
] as const)
  test(`${plugin.name}: log-ins before rules`, async () => {
    const ranks: Rank[] = [];
    const ask = spyOn(Backend.prototype, "ask").mockImplementation((_question, _wanted, _unnoticed, rank = "first") => {
      ranks.push(rank);
      return Promise.reject(new BackendError("refused", "only asked"));
    });
    try {
      const { kit, manager } = await running(plugin, { settings });
      await kit.broker.access.authenticate(aClient(), { password: Buffer.from("p") });
      expect(ranks.splice(0)).toEqual(["first"]);
      await kit.broker.access.checkAcl(aClient(), "publish", "a");
      expect(new Set(ranks.splice(0))).toEqual(new Set(["second"]));
      // Of a will, before the client is in: it would be refused where this one waits too long.
      await kit.broker.access.checkAcl(aClient({ clientId: "coming", isComing: true }), "publish", "a");
      expect(new Set(ranks)).toEqual(new Set(["first"]));
      await manager.unload(plugin.name);
    } finally {
      ask.mockRestore();
    }
  });
