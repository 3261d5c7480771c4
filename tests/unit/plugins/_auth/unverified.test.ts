/** Every plugin that asks a server over TLS says so where that one's certificate is not looked at: at its start, and when settings change. */
import { afterAll, describe, expect, test } from "bun:test";
import { plugins } from "../../../../server/plugins/index.ts";
import { removeTempDirs, running } from "../harness.ts";

afterAll(removeTempDirs);

type Lines = Record<string, string>;

/** Plugin -> the key that switches verification off, its word for that, and settings with which it speaks TLS. */
const KINDS: Readonly<Record<string, { key: string; off: string; tls: readonly Lines[] }>> = {
  emqx_auth_mysql: {
    key: "auth.mysql.ssl.verify",
    off: "off",
    tls: [{ "auth.mysql.ssl": "on" }, { "auth.mysql.enable_ssl": "on" }],
  },
  emqx_auth_pgsql: { key: "auth.pgsql.ssl_opts.verify", off: "verify_none", tls: [{ "auth.pgsql.ssl": "true" }] },
  emqx_auth_redis: { key: "auth.redis.ssl.verify", off: "off", tls: [{ "auth.redis.ssl": "on" }] },
  emqx_auth_mongo: { key: "auth.mongo.ssl_opts.verify", off: "verify_none", tls: [{ "auth.mongo.ssl": "true" }] },
  emqx_auth_ldap: {
    key: "auth.ldap.ssl.verify",
    off: "verify_none",
    tls: [{ "auth.ldap.ssl": "true" }, { "auth.ldap.starttls": "on" }],
  },
  emqx_auth_http: {
    key: "auth.http.ssl.verify",
    off: "off",
    tls: ["auth_req", "super_req", "acl_req"].map((name) => ({ [`auth.http.${name}`]: "https://127.0.0.1:1/" })),
  },
  emqx_auth_jwt: { key: "auth.jwt.jwks.ssl.verify", off: "off", tls: [{ "auth.jwt.jwks": "https://127.0.0.1:1/" }] },
};
/** Where nobody listens. */
const NOWHERE: Readonly<Record<string, Lines>> = {
  emqx_auth_mysql: { "auth.mysql.server": "127.0.0.1:1" },
  emqx_auth_pgsql: { "auth.pgsql.server": "127.0.0.1:1" },
  emqx_auth_redis: { "auth.redis.server": "127.0.0.1:1" },
  emqx_auth_mongo: { "auth.mongo.server": "127.0.0.1:1" },
  emqx_auth_ldap: { "auth.ldap.port": "1" },
  emqx_auth_http: { "auth.http.auth_req": "http://127.0.0.1:1/" },
  emqx_auth_jwt: { "auth.jwt.secret": "my own" },
};

test("there is none that is not looked at here", () => {
  const found = plugins.filter((p) => p.name.startsWith("emqx_auth_") && Object.keys(p.config).some((key) => key.endsWith(".verify")));
  expect(found.map(({ name }) => name).sort()).toEqual(Object.keys(KINDS).sort());
});

for (const plugin of plugins.filter(({ name }) => name in KINDS)) {
  const { name } = plugin;
  const { key, off, tls } = KINDS[name] as (typeof KINDS)[string];
  const nowhere = NOWHERE[name] ?? {};

  describe(name, () => {
    for (const lines of tls)
      test(`${Object.keys(lines).join()}: told once, and anew when it was on meanwhile`, async () => {
        const without = { ...nowhere, ...lines, [key]: off };
        const { kit, manager, replaceConfig } = await running(plugin, { settings: without });
        const told = (): unknown[] =>
          kit.log.lines.flatMap(({ level, message, fields }) =>
            level === "warn" && message.includes("without a look at the server's certificate") ? [fields?.key] : [],
          );
        expect(told()).toEqual([key]);
        await replaceConfig(name, { ...without, [`${key.split(".").slice(0, 2).join(".")}.on_error`]: "deny" });
        expect(told()).toEqual([key]);
        await replaceConfig(name, { ...nowhere, ...lines });
        expect(told()).toEqual([key]);
        await replaceConfig(name, without);
        expect(told()).toEqual([key, key]);
        // Without TLS there is nothing to look at.
        await replaceConfig(name, { ...nowhere, [key]: off });
        expect(told()).toEqual([key, key]);
        await manager.stopAll();
      });

    test("nothing is told where it is looked at, as it is unless somebody says otherwise", async () => {
      const { kit, manager } = await running(plugin, { settings: { ...nowhere, ...tls[0] } });
      expect(kit.log.lines.filter(({ message }) => message.includes("certificate"))).toEqual([]);
      await manager.stopAll();
    });
  });
}
