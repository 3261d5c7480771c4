/** emqx_auth_username and emqx_auth_clientid, and the hashes they share. */

import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { IConnectPacket } from "mqtt-packet";
import { watchClient } from "../../../server/core/access/trace.ts";
import type { ClientInfo, Credentials } from "../../../server/core/types.ts";
import { createAccounts } from "../../../server/plugins/_auth/accounts.ts";
import { HashQueue } from "../../../server/plugins/_auth/hash_queue.ts";
import { HASH_KINDS, hashPassword, PasswordCheck } from "../../../server/plugins/_auth/password.ts";
import { authClientid } from "../../../server/plugins/auth_clientid/index.ts";
import { authUsername } from "../../../server/plugins/auth_username/index.ts";
import type { AccountService } from "../../../server/plugins/plugin.ts";
import { aClient } from "../../support/access.ts";
import type { MemoryStore } from "../../support/memory_store.ts";
import { TestKit } from "../../support/test_broker.ts";
import { until } from "../../support/until.ts";
import { testZone } from "../../support/zone.ts";
import { removeTempDirs, running, turns, type Wishes } from "./harness.ts";

afterAll(removeTempDirs);

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe("hashes", () => {
  for (const kind of HASH_KINDS) {
    test(`${kind}: right, wrong, empty, longer, with other bytes`, async () => {
      const check = new PasswordCheck();
      const row = await hashPassword("u", "pässword", kind);
      expect(row).toMatchObject({ name: "u", kind });
      expect(await check.verify(row, bytes("pässword"))).toBe(true);
      for (const wrong of ["", "p", "pässwor", "pässword ", "PÄSSWORD"]) expect(await check.verify(row, bytes(wrong))).toBe(false);
      expect(await check.verify(row, Uint8Array.of(0xff, 0))).toBe(false);
      // Known answers are asked again, and other rows are not meant.
      expect(await check.verify(row, bytes("pässword"))).toBe(true);
      const other = await hashPassword("v", "other", kind);
      expect(await check.verify(other, bytes("pässword"))).toBe(false);
    });
  }

  test("sha256 is H(salt ‖ password) in hex, as in EMQ X 3.1; salts are long and differ", async () => {
    const [a, b] = await Promise.all([hashPassword("u", "p", "sha256"), hashPassword("u", "p", "sha256")]);
    expect(a.hash).toBe(createHash("sha256").update(`${a.salt}p`).digest("hex"));
    expect(a.salt).toHaveLength(32);
    expect(a.salt).not.toBe(b.salt);
  });

  test("argon2id answers at once when the same password was right before", async () => {
    const check = new PasswordCheck();
    const row = await hashPassword("u", "p", "argon2id");
    expect(row.hash).toStartWith("$argon2id$");
    expect(check.verify(row, bytes("p"))).toBeInstanceOf(Promise);
    await check.verify(row, bytes("p"));
    expect(check.verify(row, bytes("p"))).toBe(true);
    expect(check.verify(row, bytes("q"))).toBeInstanceOf(Promise);
  });

  test("a full queue is told with 0x89 and counted", async () => {
    const row = await hashPassword("u", "p", "argon2id");
    const counted: string[] = [];
    const table = new TestKit().store.accounts("p");
    table.put(row);
    const accounts = createAccounts(
      table,
      ({ username }) => username,
      () => "argon2id",
      (name) => counted.push(name),
      new PasswordCheck(new HashQueue(1, 0)),
    );
    const client = aClient({ username: "u" });
    const first = accounts.check(client, { password: bytes("p") });
    expect(accounts.check(client, { password: bytes("p") })).toMatchObject({ allow: false, code: 0x89 });
    expect(counted).toEqual(["access/auth/busy"]);
    expect(await first).toMatchObject({ allow: true });
  });

  test("one address does not take the whole queue: another one is still asked about", async () => {
    const table = new TestKit().store.accounts("p");
    table.put(await hashPassword("u", "p", "argon2id"));
    const passwords = new PasswordCheck(new HashQueue(1, 30));
    const accounts = createAccounts(
      table,
      ({ username }) => username,
      () => "argon2id",
      () => {},
      passwords,
    );
    const from = (ip: string, guess: string) => accounts.check(aClient({ username: "u", ip }), { password: bytes(guess) });
    const all = Array.from({ length: 20 }, (_, i) => from("10.6.6.6", `guess ${i}`));
    expect(all.filter((step) => step instanceof Promise)).toHaveLength(3);
    expect(await from("10.0.0.1", "p")).toMatchObject({ allow: true });
    await Promise.all(all);
  });

  /** An account "u" with the password "p", whose checks wait until `free` is called (and again for what `block` gives); the hashes that the queue has measured since. */
  const waiting = async (waitingMs = 15_000) => {
    let hashed = 0;
    const queue = new HashQueue(1, waitingMs, () => {
      hashed++;
      return 0;
    });
    const block = (): (() => void) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      void queue.run({ kind: "other", guessMs: 1 }, "10.0.0.9", () => promise);
      return resolve;
    };
    const free = block();
    const table = new TestKit().store.accounts("p");
    table.put(await hashPassword("u", "p", "argon2id"));
    const accounts = createAccounts(
      table,
      ({ username }) => username,
      () => "argon2id",
      () => {},
      new PasswordCheck(queue),
    );
    // The clock is looked at before and behind each.
    return { accounts, queue, block, free, hashes: () => hashed / 2 };
  };

  test("an account that is deleted while its check waits lets nobody in; one that is changed asks for the new password", async () => {
    const { accounts, block, free } = await waiting();
    const ask = (password: string) => Promise.resolve(accounts.check(aClient({ username: "u" }), { password: bytes(password) }));
    const deleted = ask("p");
    accounts.remove("u");
    free();
    expect(await deleted).toBeNull();
    await accounts.add("u", "p");
    const freeAgain = block();
    const [before, after] = [ask("p"), ask("new")];
    await accounts.update("u", "new");
    freeAgain();
    expect(await before).toMatchObject({ allow: false, code: 0x87 });
    expect(await after).toEqual({ allow: true });
  });

  test("who has left before its turn costs no hash, and is told as somebody who was not looked at, so that it counts as no guess", async () => {
    const { accounts, free, hashes } = await waiting();
    const left = accounts.check(aClient({ username: "u" }), { password: bytes("wrong"), wanted: () => false });
    free();
    expect([await left, hashes()]).toEqual([{ allow: false, code: 0x89, why: "the client has left before its password was checked" }, 0]);
  });

  test("where slow hashes are in use, a name that is none takes as long as a wrong password, if that is the last word", async () => {
    const { accounts, free, hashes } = await waiting();
    free();
    const closed = testZone({ allowAnonymous: false });
    const asked = async (changes: Partial<ClientInfo>, more: Partial<Credentials>, password = "x"): Promise<number> => {
      const before = hashes();
      const client = aClient({ zone: closed, username: "nobody", ...changes });
      expect(await accounts.check(client, { password: bytes(password), isLast: true, ...more })).toBeNull();
      return hashes() - before;
    };
    expect(await asked({}, {})).toBe(1);
    expect(await asked({}, {})).toBe(1);
    // Others are asked behind it, everybody is let in anyway, nobody waits, or an account's would take no time either.
    expect(await asked({}, { isLast: false })).toBe(0);
    expect(await asked({ zone: testZone({ allowAnonymous: true }) }, {})).toBe(0);
    expect(await asked({}, { wanted: () => false })).toBe(0);
    expect(await asked({}, {}, "")).toBe(0);
    expect(await asked({}, { password: null })).toBe(0);
  });

  test("names that are none have together half as much of the queue as an address, and beyond it are answered at once", async () => {
    const { accounts, queue, free } = await waiting(150);
    const ask = (i: number) =>
      accounts.check(aClient({ zone: testZone({ allowAnonymous: false }), username: `no${i}`, ip: `10.1.${i >> 8}.${i & 255}` }), {
        password: bytes("x"),
        isLast: true,
      });
    const answers = Array.from({ length: 300 }, (_, i) => ask(i));
    // Half of half of 150 ms, of 8 ms each.
    expect(answers.filter((a) => a instanceof Promise)).toHaveLength(5);
    expect(new Set(answers.filter((a) => !(a instanceof Promise)))).toEqual(new Set([null]));
    const known = accounts.check(aClient({ username: "u", ip: "10.0.0.1" }), { password: bytes("p") });
    expect(known).toBeInstanceOf(Promise);
    expect(queue.size).toBe(1 + 5 + 1);
    free();
    expect(await known).toEqual({ allow: true });
    await Promise.all(answers);
  });

  test("accounts whose hashes take no time are not made to", async () => {
    const table = new TestKit().store.accounts("p");
    table.put(await hashPassword("u", "p", "sha256"));
    const accounts = createAccounts(
      table,
      ({ username }) => username,
      () => "sha256",
      () => {},
    );
    const client = aClient({ zone: testZone({ allowAnonymous: false }), username: "nobody" });
    expect(accounts.check(client, { password: bytes("x"), isLast: true })).toBeNull();
    await accounts.add("slow", "p");
    expect(accounts.check(client, { password: bytes("x"), isLast: true })).toBeNull();
  });

  test("whoever asks why hears the reason, and is not counted", async () => {
    const table = new TestKit().store.accounts("p");
    table.put(await hashPassword("u", "p", "plain"));
    table.put(await hashPassword("slow", "p", "argon2id"));
    const counted: string[] = [];
    const accounts = createAccounts(
      table,
      ({ username }) => username,
      () => "plain",
      (name) => counted.push(name),
      new PasswordCheck(new HashQueue(0, 0)),
    );
    const why = async (username: string | null, password: string | null): Promise<string | null> => {
      const client = aClient({ username });
      const told = watchClient(client);
      await accounts.check(client, { password: password === null ? null : bytes(password) });
      return told().why;
    };
    expect([await why(null, "p"), await why("nix", "p"), await why("u", null), await why("u", "x"), await why("u", "p")]).toEqual([
      "there is no name to look up",
      "unknown user: there is no account of this name",
      "the account has a password, and none was given",
      "wrong password",
      "the password is the account's",
    ]);
    await why("slow", "p");
    expect(counted).toEqual([]);
  });

  test("a kind nobody knows is never right", () => {
    expect(new PasswordCheck().verify({ name: "u", kind: "rot13", salt: "", hash: "p" }, bytes("p"))).toBe(false);
  });
});

for (const [plugin, key, connect] of [
  [
    authUsername,
    "auth.user.password_hash",
    (kit: TestKit, name: string, password?: string) => kit.client(5).connect("some-client", auth(name, password)),
  ],
  [
    authClientid,
    "auth.client.password_hash",
    (kit: TestKit, name: string, password?: string) => kit.client(5).connect(name, auth("some-user", password)),
  ],
] as const) {
  const name = plugin.name as "emqx_auth_username" | "emqx_auth_clientid";
  const start = async (wishes: Wishes = {}) => {
    const m = await running(plugin, wishes);
    const service = m.manager.service(name) as AccountService;
    const reason = async (who: string, password?: string): Promise<number> => {
      const c = connect(m.kit, who, password);
      await turns(m.kit);
      let code: number | null = null;
      await until(() => {
        const [packet] = c.take();
        if (packet?.cmd === "connack") code = packet.reasonCode ?? -1;
        return code !== null;
      }, `a CONNACK for ${who}`);
      return code ?? -1;
    };
    return { ...m, service, reason };
  };

  describe(name, () => {
    test("right in, wrong out with 0x87, unknown as allow_anonymous says", async () => {
      const kit = new TestKit();
      const { service, reason } = await start({ kit });
      expect(await service.add("u", "secret")).toBe("ok");
      expect(await reason("u", "secret")).toBe(0);
      expect(await reason("u", "Secret")).toBe(0x87);
      expect(await reason("u", "")).toBe(0x87);
      expect(await reason("stranger", "x")).toBe(0);
      kit.zone.allowAnonymous = false;
      expect(await reason("stranger", "x")).toBe(0x87);
      expect(await reason("u", "secret")).toBe(0);
    });

    test("with allow_anonymous off strangers hear the same of an account and of a name that is none", async () => {
      const { kit, service } = await start();
      await service.add("u", "secret");
      kit.zone.allowAnonymous = false;
      for (const version of [3, 4, 5] as const) {
        const heard = (name: string, password: string): unknown => {
          const options = { username: name, password: Buffer.from(password) };
          const [packet] = kit
            .client(version)
            .connect(plugin === authUsername ? `c-${name}` : name, options)
            .take();
          return packet?.cmd === "connack" ? [packet.returnCode, packet.reasonCode, packet.properties] : packet;
        };
        expect(heard("u", "wrong")).toEqual(heard("nobody", "wrong"));
        expect(heard("u", "")).toEqual(heard("nobody", ""));
      }
    });

    for (const version of [3, 4, 5] as const) {
      test(`MQTT ${version}: a listed account without a password is refused although anonymous clients are let in`, async () => {
        const { kit, service } = await start();
        await service.add("u", "secret");
        const refused = version === 5 ? 0x87 : 5;
        const answer = (clientId: string, options: Partial<IConnectPacket>): unknown => {
          const [packet] = kit.client(version).connect(clientId, options).take();
          return packet?.cmd === "connack" ? (packet.reasonCode ?? packet.returnCode) : packet;
        };
        if (plugin === authUsername) {
          expect(answer("c1", { username: "u" })).toBe(refused);
          expect(answer("c2", { username: "stranger" })).toBe(0);
        } else {
          expect(answer("u", { username: "anybody" })).toBe(refused);
          // mosquitto_sub -i u: neither user name nor password, and still it names the account.
          expect(answer("u", {})).toBe(refused);
          expect(answer("stranger", { username: "anybody" })).toBe(0);
        }
        expect(answer("c3", {})).toBe(0);
        kit.zone.allowAnonymous = false;
        expect(answer("u", { username: "u" })).toBe(refused);
        expect(answer("c3", {})).toBe(version === 5 ? 0x87 : 5);
      });
    }

    test("list, get, add, update, remove", async () => {
      const { service, reason } = await start();
      expect(await service.add("b", "1")).toBe("ok");
      expect(await service.add("a", "1")).toBe("ok");
      expect(await service.add("a", "2")).toBe("existed");
      expect(await service.update("c", "2")).toBe("not_found");
      expect(await reason("a", "1")).toBe(0);
      expect(await service.update("a", "2")).toBe("ok");
      expect([await reason("a", "1"), await reason("a", "2")]).toEqual([0x87, 0]);
      expect(service.list().sort()).toEqual(["a", "b"]);
      expect(service.get("a")).toEqual({ name: "a", kind: "sha256" });
      expect(service.get("c")).toBeUndefined();
      expect([service.remove("a"), service.remove("a")]).toEqual([true, false]);
      expect(await reason("a", "1")).toBe(0);
    });

    test("two at once: one adds, the other finds it existing", async () => {
      const { service } = await start({ settings: { [key]: "argon2id" } });
      expect((await Promise.all([service.add("u", "1"), service.add("u", "2")])).sort()).toEqual(["existed", "ok"]);
    });

    test("a change of password_hash holds for new rows and leaves the old ones good", async () => {
      const { service, reason, manager, setLive } = await start();
      await service.add("old", "1");
      await setLive(name, key, "argon2id");
      await service.add("new", "1");
      expect([service.get("old")?.kind, service.get("new")?.kind]).toEqual(["sha256", "argon2id"]);
      expect([await reason("old", "1"), await reason("new", "1"), await reason("new", "2")]).toEqual([0, 0, 0x87]);
      expect(manager.liveItems()).toEqual([{ key, value: "argon2id", datatpye: "enum", datatype: "enum", app: name }]);
    });

    test("accounts survive a crash, and are asked no more once the plugin is unloaded", async () => {
      const { service, kit, manager, reason } = await start();
      await service.add("u", "1");
      kit.store.commit();
      const next = await start({ kit: new TestKit({ store: (kit.store as MemoryStore).crash() }) });
      expect([await next.reason("u", "1"), await next.reason("u", "2")]).toEqual([0, 0x87]);
      await manager.unload(name);
      expect(await reason("u", "2")).toBe(0);
    });
  });
}

function auth(username: string, password?: string) {
  return { username, ...(password !== undefined && { password: Buffer.from(password) }) };
}
