/** The plugins of this build, in alphabetical order of their names. Whatever is not here is not listed. */
import { authClientid } from "./auth_clientid/index.ts";
import { authHttp } from "./auth_http/index.ts";
import { authJwt } from "./auth_jwt/index.ts";
import { authLdap } from "./auth_ldap/index.ts";
import { authMongo } from "./auth_mongo/index.ts";
import { authMysql } from "./auth_mysql/index.ts";
import { authPgsql } from "./auth_pgsql/index.ts";
import { authRedis } from "./auth_redis/index.ts";
import { authUsername } from "./auth_username/index.ts";
import { dashboard } from "./dashboard/index.ts";
import { delayedPublish } from "./delayed_publish/index.ts";
import { luaHook } from "./lua_hook/index.ts";
import { management } from "./management/index.ts";
import type { AnyPlugin, ConfigTable } from "./plugin.ts";
import { pluginTemplate } from "./plugin_template/index.ts";
import { recon } from "./recon/index.ts";
import { reloader } from "./reloader/index.ts";
import { retainer } from "./retainer/index.ts";
import { ruleEngine } from "./rule_engine/index.ts";
import { statsd } from "./statsd/index.ts";
import { webHook } from "./web_hook/index.ts";

export const plugins: readonly AnyPlugin[] = [
  authClientid,
  authHttp,
  authJwt,
  authLdap,
  authMongo,
  authMysql,
  authPgsql,
  authRedis,
  authUsername,
  dashboard,
  delayedPublish,
  luaHook,
  management,
  pluginTemplate,
  recon,
  reloader,
  retainer,
  ruleEngine,
  statsd,
  webHook,
];

/** Their configuration tables, for the loader. */
export const pluginTables: readonly { app: string; table: ConfigTable; required: boolean }[] = plugins.map((p) => ({
  app: p.name,
  table: p.config,
  required: p.required ?? false,
}));
