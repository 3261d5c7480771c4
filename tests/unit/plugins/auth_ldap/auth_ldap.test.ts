/** emqx_auth_ldap on the core, with a directory that says of some accounts what real ones say of locked ones. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { authLdap } from "../../../../server/plugins/auth_ldap/index.ts";
import { aClient } from "../../../support/access.ts";
import { LdapTwin, type TwinAnswers } from "../../../support/ldap_twin.ts";
import { until } from "../../../support/until.ts";
import { logIn, type Managed, removeTempDirs, running } from "../harness.ts";

afterAll(removeTempDirs);
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** uid=<name>,ou=device,dc=emqx,dc=io; null = another entry's. */
const nameOf = (dn: string): string | null => /^uid=([^,]*),ou=device,dc=emqx,dc=io$/.exec(dn)?.[1] ?? null;

/** Everybody has an entry; joe's password is "public". */
const BINDS: Readonly<Record<string, number>> = {
  nopassword: 48,
  locked: 19,
  inactive: 53,
  referred: 10,
  plaintext: 13,
  toolong: 3,
  toomuch: 11,
  busy: 51,
  away: 52,
  broken: 80,
};
const directory: TwinAnswers = {
  bind(dn, password) {
    const name = nameOf(dn);
    return name === null || (name === "joe" && password === "public") ? 0 : (BINDS[name] ?? 49);
  },
  search: (dn) => ({ uid: nameOf(dn) ?? "none" }),
};

async function broker(answers: TwinAnswers, more: Record<string, string> = {}) {
  const twin = new LdapTwin(answers);
  const settings = { "auth.ldap.port": String(twin.port), "auth.ldap.timeout": "5s", ...more };
  const managed = await running(authLdap, { settings });
  managed.kit.zone.allowAnonymous = false;
  stops.push(async () => {
    await managed.manager.unload("emqx_auth_ldap");
    twin.stop();
  });
  return { ...managed, twin };
}

const code = ({ kit }: Managed, username: string, password: string): Promise<number> => logIn(kit, username, password);
const server = (b: Managed) => b.manager.report("emqx_auth_ldap")?.servers[0];

describe("what the directory says of one user's bind is said of that user", () => {
  const asUser = { "auth.ldap.bind_as_user": "on" };

  test("it is a wrong password, whatever the code: nobody else does without the directory for it", async () => {
    const b = await broker(directory, asUser);
    const answers = await Promise.all(Array.from({ length: 10 }, () => code(b, "nopassword", "public")));
    expect(new Set(answers)).toEqual(new Set([0x87]));
    for (const name of ["locked", "inactive", "referred", "plaintext"]) expect([name, await code(b, name, "public")]).toEqual([name, 0x87]);
    expect([await code(b, "joe", "public"), await code(b, "joe", "Public")]).toEqual([0, 0x87]);
    expect(server(b)).toMatchObject({ state: "up", failed: 0, refused: 0 });
    expect(b.kit.log.lines.filter((l) => l.level === "warn")).toEqual([]);
  });

  test("and counts as a guess", async () => {
    const b = await broker(directory, asUser);
    b.kit.zone.authFailureLimit = { count: 3, intervalMs: 60_000 };
    for (let i = 0; i < 3; i++) await code(b, "locked", "public");
    expect([await code(b, "locked", "public"), b.kit.metrics.authLimited]).toEqual([0x9f, 1]);
  });

  test("with on_error = ignore and allow_anonymous an account that is locked or switched off stays out", async () => {
    const b = await broker(directory, { ...asUser, "auth.ldap.on_error": "ignore" });
    b.kit.zone.allowAnonymous = true;
    for (const name of ["locked", "inactive", "nopassword"]) expect([name, await code(b, name, "any")]).toEqual([name, 0x87]);
  });

  test("an error within the directory is no wrong password, and no guess", async () => {
    const b = await broker(directory, asUser);
    b.kit.zone.authFailureLimit = { count: 3, intervalMs: 60_000 };
    for (const name of ["toolong", "toomuch", "broken"])
      for (let i = 0; i < 4; i++) expect([name, await code(b, name, "public")]).toEqual([name, 0x88]);
    expect([server(b)?.refused, b.kit.metrics.authLimited]).toEqual([12, 0]);
  });

  test("busy and unavailable are an error of that question: on_error decides, and nobody else does without", async () => {
    const deny = await broker(directory, asUser);
    for (let i = 0; i < 10; i++) expect([await code(deny, "busy", "public"), await code(deny, "away", "public")]).toEqual([0x88, 0x88]);
    expect([await code(deny, "joe", "public"), server(deny)?.state]).toEqual([0, "degraded"]);
    const ignore = await broker(directory, { ...asUser, "auth.ldap.on_error": "ignore" });
    ignore.kit.zone.allowAnonymous = true;
    expect([await code(ignore, "busy", "public"), await code(ignore, "away", "public")]).toEqual([0, 0]);
  });

  test("of our own account it is said for everybody", async () => {
    const b = await broker({ ...directory, bind: () => 48 }, asUser);
    await until(() => server(b)?.state === "down", "it is down");
    expect(await code(b, "joe", "public")).toBe(0x88);
  });
});

describe("names that cannot be one (result code 34)", () => {
  const INVALID_DN = 34;
  const unlike = (bad: RegExp): TwinAnswers => ({ ...directory, search: (dn) => (bad.test(dn) ? INVALID_DN : directory.search(dn)) });

  test("a user's is nobody's: the next one decides", async () => {
    const b = await broker(unlike(/^uid=odd/), { "auth.ldap.bind_as_user": "on" });
    expect([await code(b, "odd", "x"), await code(b, "joe", "public")]).toEqual([0x87, 0]);
    b.kit.zone.allowAnonymous = true;
    expect([await code(b, "odd", "x"), server(b)?.refused]).toEqual([0, 0]);
  });

  test("where no name could be right the settings are wrong: everybody is refused, and it is told why", async () => {
    const b = await broker(unlike(/,no name$/), { "auth.ldap.device_dn": "no name" });
    b.kit.zone.allowAnonymous = true;
    expect([await code(b, "joe", "public"), await code(b, "else", "public")]).toEqual([0x88, 0x88]);
    expect(server(b)).toMatchObject({ state: "degraded", refused: 2 });
    expect(server(b)?.lastError).toContain("no entry can be named like uid=1,no name: InvalidDNSyntax");
  });
});

test("hosts are written with brackets or without, and without a port", async () => {
  const { manager } = await broker(directory);
  const request = { clientId: "c", username: "joe", password: "public", ip: "127.0.0.1", action: null, topic: null };
  const tried = async (host: string) =>
    (await manager.test("emqx_auth_ldap", { "auth.ldap.servers": host }, request, () => aClient())).at(-1);
  for (const host of ["::1", "[::1]"]) expect((await tried(host))?.why).toContain("LDAP at ::1:");
  expect(await tried("127.0.0.1:636")).toMatchObject({
    step: "settings",
    why: 'auth.ldap.servers: expected hosts, whose port is auth.ldap.port, got "127.0.0.1:636"',
  });
});
