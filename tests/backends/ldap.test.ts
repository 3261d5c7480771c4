/** emqx_auth_ldap in the executable, with a real directory that has the schema `baomq ctl ldap-schema` prints. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AuthKit } from "../support/auth_kit.ts";
import { until } from "../support/clients.ts";
import { needing, SLAPD } from "../support/peers.ts";
import { runNow } from "../support/servers.ts";
import { directory, ldapEntry, type Slapd } from "../support/slapd.ts";
import { connectionsAt, mostDuring, SilentServer } from "../support/sockets.ts";
import { whenAway, whenFar } from "./away.ts";
import { findNobody } from "./names.ts";

function hashed(scheme: string, digest: string, salt: string): string {
  const salted = Buffer.concat([createHash(digest).update("public").update(salt).digest(), Buffer.from(salt)]);
  return `{${scheme}}${salted.toString("base64")}`;
}

/** Everybody's password is "public". */
const PASSWORDS: Readonly<Record<string, string>> = {
  sha: hashed("SHA", "sha1", ""),
  ssha: hashed("SSHA", "sha1", "pepper"),
  ssha512: hashed("SSHA512", "sha512", "pepper"),
  md5: hashed("md5", "md5", ""),
  smd5: hashed("SMD5", "md5", "pepper"),
  wrapped: Buffer.from(hashed("SSHA", "sha1", "pepper")).toString("base64"),
  plain: "public",
  // glibc's SHA-512 form: only the directory can check it.
  crypt: `{CRYPT}${runNow(["openssl", "passwd", "-6", "-salt", "pepper", "public"]).trim()}`,
  "o,u=x+y": "public",
};

needing(SLAPD, describe)("emqx_auth_ldap", () => {
  const kit = new AuthKit("emqx_auth_ldap", "auth.ldap", { port: "1" });
  const { api, status, withSettings, tried, explained, client, code, may } = kit;
  const certs = mkdtempSync(join(tmpdir(), "baomq-certs-"));
  let ldap: Slapd;

  beforeAll(async () => {
    const [cert, key] = [join(certs, "cert.pem"), join(certs, "key.pem")];
    const name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    runNow(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", ...name]);
    const entries = [
      ...Object.entries(PASSWORDS).map(([uid, password]) => ldapEntry(uid, password)),
      ldapEntry("none", null),
      ldapEntry("topics", "public", ["mqttSubscriptionTopic: not/#/one", "mqttSubscriptionTopic: in/+"]),
      ["dn: uid=other,ou=device,dc=emqx,dc=io", "objectClass: top", "objectClass: mqttDevice", "uid: other"].join("\n"),
    ];
    ldap = await directory(entries, { cert, key, ca: cert });
    await ldap.start();
    await kit.start({ port: ldap.port, bind_dn: ldap.bindDn, bind_password: ldap.password, timeout: "1s" });
  });
  afterAll(async () => {
    await kit.stop([ldap.password]);
    await ldap.remove();
    rmSync(certs, { recursive: true, force: true });
  });

  describe("who gets in", () => {
    for (const uid of ["joe", ...Object.keys(PASSWORDS)]) {
      test(`${uid}: right, wrong, empty`, async () => {
        expect([await code(uid, "public"), await code(uid, "Public"), await code(uid, "")]).toEqual([0, 5, 4]);
      });
    }

    test("disabled, without a password, not there, of another class, without a name", async () => {
      expect([await code("ann", "public"), await code("none", "x")]).toEqual([5, 5]);
      // Not known there: allow_anonymous decides, which is on by default (EMQ X 3.1).
      expect([await code("unknown", "x"), await code("other", "x"), await code(null, null)]).toEqual([0, 0, 0]);
    });

    findNobody(
      kit,
      [
        "joe,ou=device",
        "*",
        "joe)(uid=*",
        "joe\\",
        '"joe"',
        "joe#",
        "#joe",
        "jo\\6f",
        "joe+objectClass=mqttUser",
        "=",
        "<>;",
        "ü".repeat(20_000),
      ],
      ["public"],
    );

    test("nor does one that would be an entry's if it were not escaped", async () => {
      await withSettings({ device_dn: "dc=emqx,dc=io" }, () =>
        kit.withoutAnonymous(async () => {
          await kit.isUp();
          expect([await code("joe,ou=device", "public"), await code("joe", "public")]).toEqual([5, 5]);
        }),
      );
      await kit.isUp();
    });

    for (const wrong of [{ device_dn: "no name at all" }, { "username.attributetype": "user name" }]) {
      test(`nobody where no entry can have such a name: ${JSON.stringify(wrong)}`, async () => {
        await withSettings(wrong, async () => {
          await kit.isUp();
          expect([await code("joe", "public"), await code("unknown", "x")]).toEqual([3, 3]);
          expect((await status()).servers[0]?.last_error).toContain("InvalidDNSyntax");
        });
        await kit.isUp();
      });
    }

    test("where the directory does not show passwords, it is asked to check them", async () => {
      const nobody = { bind_dn: "uid=plain,ou=device,dc=emqx,dc=io", bind_password: "public" };
      await withSettings(nobody, async () => {
        await kit.isUp();
        expect(await code("joe", "public")).toBe(5);
        await until(() => kit.broker.log.includes("bind_as_user = on"), "it is told what to do");
      });
      await withSettings({ ...nobody, bind_as_user: "on" }, async () => {
        await kit.isUp();
        expect([await code("joe", "public"), await code("joe", "Public"), await code("ann", "public")]).toEqual([0, 5, 5]);
      });
      await kit.isUp();
    });

    test("ldaps and StartTLS, with a certificate that is good for the name, or not at all", async () => {
      const ca = { "ssl.cacertfile": join(certs, "cert.pem") };
      for (const how of [
        { ...ca, ssl: "true", port: String(ldap.tlsPort) },
        { ...ca, starttls: "on" },
        { ssl: "true", "ssl.verify": "verify_none", port: String(ldap.tlsPort) },
      ]) {
        await withSettings({ ...how, ...kit.secrets }, async () => {
          await kit.isUp();
          expect([await code("joe", "public"), await code("joe", "no"), await code("crypt", "public")]).toEqual([0, 5, 0]);
        });
      }
      for (const how of [{ ssl: "true", port: String(ldap.tlsPort) }, { starttls: "on" }]) {
        const settings = Object.fromEntries(Object.entries(how).map(([key, value]) => [`auth.ldap.${key}`, value]));
        expect(
          await tried({ username: "joe", password: "public", settings: { ...settings, "auth.ldap.bind_password": ldap.password } }),
        ).toEqual(["settings ok", "connect error"]);
      }
      await kit.isUp();
    });
  });

  describe("what it may do", () => {
    test("the topics of its entry, found with its password; of others the file's rules decide", async () => {
      const { calls } = (await status()).servers[0] ?? { calls: 0 };
      const c = await client("joe", "public");
      const allowed = async (topic: string): Promise<string> => {
        const answer = JSON.parse(await explained({ client_id: "c", username: "joe", password: "public", action: "subscribe", topic })) as {
          data: { acl: { steps: { step: string; verdict: string }[] } };
        };
        return answer.data.acl.steps.find((s) => s.step === kit.plugin)?.verdict ?? "";
      };
      expect([await may(c, "joe/down/x"), await may(c, "joe/both/x"), await may(c, "else")]).toEqual([true, true, true]);
      expect((await status()).servers[0]?.calls).toBe(calls + 1);
      expect([await allowed("joe/down/x"), await allowed("joe/both/x"), await allowed("joe/up/x"), await allowed("JOE/down/x")]).toEqual([
        "allow",
        "allow",
        "ignore",
        "ignore",
      ]);
      c.drop();
    });

    test("what is no filter is left out and told", async () => {
      const c = await client("topics", "public");
      expect(await may(c, "in/x")).toBe(true);
      await until(() => kit.broker.log.includes("a value of mqttSubscriptionTopic is left out"), "it is told");
      c.drop();
    });
  });

  describe("why, and with what", () => {
    test("no secret is shown, neither the account's nor a client's nor a hash", async () => {
      expect(JSON.stringify(await api("GET", "configs"))).not.toContain(ldap.password);
      expect(JSON.stringify(await api("GET", `plugin_configs/${kit.plugin}`))).not.toContain(ldap.password);
      const text = await explained({ client_id: "c", username: "ssha", password: "public", action: "publish", topic: "x" });
      expect(text).toContain("uid=ssha,ou=device,dc=emqx,dc=io");
      expect(text).toContain('"answer":"an entry","rows":[[{"name":"dn","value":"uid=ssha,ou=device,dc=emqx,dc=io"}');
      expect(text).toContain('{"name":"userPassword","value":"***"}');
      const other = await explained({ client_id: "c", username: "topics", password: "public", action: "subscribe", topic: "in/x" });
      expect(other).toContain('{"name":"mqttSubscriptionTopic","value":"in/+"}');
      expect(other).toContain('"why":"allow subscribe in/+"');
      expect(await explained({ client_id: "c", username: "ann", password: "x" })).toContain('{"name":"isEnabled","value":"FALSE"}');
      expect(text).not.toContain(PASSWORDS.ssha as string);
      expect(text).not.toContain('"public"');
    });

    test("an error of the directory's names the setting to look at", async () => {
      const secret = { bind_password: ldap.password };
      for (const [settings, says, see] of [
        [{ bind_password: "wrong" }, "the account and its password are not taken", "bind_dn, auth.ldap.bind_password"],
        [{ bind_dn: "cn=nix,dc=emqx,dc=io", ...secret }, "the account and its password are not taken", "bind_dn, auth.ldap.bind_password"],
        [{ port: "1", ...secret }, "nobody listens there", "servers, auth.ldap.port"],
        [{ servers: "nix.invalid", ...secret }, "there is no such host", "servers, auth.ldap.port"],
        [{ "username.attributetype": "ni x" }, "no entry can be named like", "device_dn, auth.ldap.username.attributetype"],
        [{ starttls: "on", ...secret }, "its certificate is signed by nobody who is trusted", "ssl.cacertfile"],
        [{ ssl: "true", ...secret }, "it does not speak TLS there", "ssl, auth.ldap.starttls"],
      ] as [Record<string, string>, string, string][]) {
        const given = Object.fromEntries(Object.entries(settings).map(([key, value]) => [`auth.ldap.${key}`, value]));
        const text = await kit.why({ username: "joe", password: "public" }, given);
        expect([settings, text.includes(says) && text.includes(`; see auth.ldap.${see}`) ? "" : text]).toEqual([settings, ""]);
      }
    });

    test("explain says in words why", async () => {
      const why = async (username: string, password: string): Promise<string | undefined> => (await kit.reasons({ username, password }))[0];
      expect(await why("unknown", "x")).toContain("unknown user: no entry of class mqttUser has this name (auth.ldap.device_dn");
      expect(await why("ssha", "x")).toBe("wrong password: it does not fit userPassword");
      expect(await why("ssha", "public")).toBe("the password fits userPassword");
      expect(await why("ann", "public")).toBe("username_disabled: isEnabled of the entry is FALSE");
      expect(await why("none", "x")).toContain("auth.ldap.bind_dn: an entry shows no password to this account");
      expect(await why("crypt", "public")).toBe("the directory takes the password");
      expect(await why("crypt", "x")).toContain("the directory does not take the password: InvalidCredentials");
      expect(await why("JOE", "public")).toContain("auth.ldap.match_case");
    });

    test("settings that are not saved can be tried; what the directory has against them is said", async () => {
      const joe = { username: "joe", password: "public", action: "publish", topic: "joe/up/x" };
      expect(await tried(joe)).toEqual(["settings ok", "connect ok", "authenticate allow", "acl allow"]);
      const why = (settings: Record<string, string>): Promise<string> => kit.why(joe, settings);
      expect(await why({ "auth.ldap.bind_password": "wrong" })).toContain("InvalidCredentials");
      expect(await why({ "auth.ldap.ssl": "true", "auth.ldap.starttls": "on", "auth.ldap.bind_password": ldap.password })).toContain(
        "auth.ldap.starttls",
      );
      expect(await code("joe", "public")).toBe(0);
    });
  });

  describe("several hosts", () => {
    const FIRST = "127.0.0.2";

    /** A host that takes connections and never answers, at the directory's port. */
    async function beside(run: (silent: SilentServer) => Promise<void>): Promise<void> {
      const silent = new SilentServer(FIRST, ldap.port);
      try {
        await run(silent);
      } finally {
        silent.stop();
      }
    }

    for (const bind_as_user of ["off", "on"]) {
      test(`the first one is silent: everybody is answered by the second, and nothing is left open; bind_as_user = ${bind_as_user}`, () =>
        beside((silent) =>
          withSettings({ ...kit.secrets, servers: `${FIRST},127.0.0.1`, bind_as_user, timeout: "3s" }, async () => {
            const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => code("joe", i % 2 === 0 ? "public" : "no")));
            expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 0 : 5)));
            await until(() => silent.open === 0, "no connection is left at the silent one");
            const { taken } = silent;
            expect(taken).toBeGreaterThan(0);
            for (let i = 0; i < 20; i++) expect(await code("joe", "public")).toBe(0);
            // Whoever answered last is asked first.
            expect(silent.taken).toBe(taken);
            expect((await status()).servers[0]).toMatchObject({ state: "up", timeouts: 0, failed: 0 });
          }),
        ));
    }

    test("the first one is not there", () =>
      withSettings({ ...kit.secrets, servers: `${FIRST},127.0.0.1`, bind_as_user: "on" }, async () => {
        expect([await code("joe", "public"), await code("joe", "no")]).toEqual([0, 5]);
      }));

    test("none of them answers: down, and said so; all are refused", () =>
      beside((silent) =>
        withSettings({ ...kit.secrets, servers: `${FIRST},127.0.0.3`, bind_as_user: "on" }, async () => {
          expect(await code("joe", "public")).toBe(3);
          await until(async () => (await status()).servers[0]?.state === "down", "it is told as down");
          expect([await kit.alarmed(), await code("joe", "public"), await code("unknown", "x")]).toEqual([true, 3, 3]);
          expect(silent.open).toBeLessThan(2 * 8);
        }),
      ));

    test("and when it does again it is found", async () => {
      await kit.isUp();
      expect(await code("joe", "public")).toBe(0);
    });
  });

  test("bind_as_user: the pool bounds connections, those to look up, to check, and that are being closed", async () => {
    await withSettings({ bind_as_user: "on", pool: "2", timeout: "30s" }, async () => {
      await kit.isUp();
      await until(() => connectionsAt(ldap.port) <= 2, "those of before are gone");
      const answers: number[] = [];
      const most = await mostDuring(
        () => connectionsAt(ldap.port),
        async () => void answers.push(...(await Promise.all(Array.from({ length: 300 }, () => code("joe", "public"))))),
      );
      expect(new Set(answers)).toEqual(new Set([0]));
      expect(most).toBeLessThanOrEqual(8);
    });
    await kit.isUp();
  });

  const known = { username: "joe", password: "public" };
  whenFar(
    kit,
    () => ldap,
    known,
    (port) => ({ port: String(port), pool: "1" }),
  );
  whenAway(kit, () => ldap, known, { many: 10_000 });
});
