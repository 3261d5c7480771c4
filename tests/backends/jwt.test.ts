/** emqx_auth_jwt in the executable, over MQTT: each algorithm with its kind of key, forgeries, times, and keys from a URL that changes and goes away. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { constants, createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AuthKit } from "../support/auth_kit.ts";
import { RawClient, until } from "../support/clients.ts";

const SECRET = "a secret of 9 words, that nobody else knows";
const HS = ["HS256", "HS384", "HS512"];

interface Pair {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

const KINDS: readonly { name: string; make(): Pair; algorithms: string[] }[] = [
  {
    name: "RSA",
    make: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
    algorithms: ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  },
  ...(
    [
      ["P-256", "ES256"],
      ["P-384", "ES384"],
      ["P-521", "ES512"],
    ] as const
  ).map(([namedCurve, alg]) => ({ name: namedCurve, make: () => generateKeyPairSync("ec", { namedCurve }), algorithms: [alg] })),
  { name: "Ed25519", make: () => generateKeyPairSync("ed25519"), algorithms: ["EdDSA"] },
];

const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function signature(alg: string, body: string, key: KeyObject | string): Buffer {
  const digest = `sha${alg.slice(2)}`;
  if (alg.startsWith("HS")) return createHmac(digest, key).update(body).digest();
  const [bytes, privateKey] = [Buffer.from(body), key as KeyObject];
  if (alg === "EdDSA") return sign(null, bytes, privateKey);
  if (alg.startsWith("ES")) return sign(digest, bytes, { key: privateKey, dsaEncoding: "ieee-p1363" });
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return sign(digest, bytes, { key: privateKey, ...(alg.startsWith("PS") && pss) });
}

function signed(alg: string, key: KeyObject | string, claims: object = {}, header: object = {}): string {
  const body = `${b64({ alg, ...header })}.${b64(claims)}`;
  return `${body}.${signature(alg, body, key).toString("base64url")}`;
}

const pem = ({ publicKey }: Pair): string => publicKey.export({ type: "spki", format: "pem" }).toString();

const kit = new AuthKit("emqx_auth_jwt", "auth.jwt");
const code = (token: string): Promise<number> => kit.code("joe", token);
const dir = mkdtempSync(join(tmpdir(), "baomq-jwt-"));
const good = signed("HS256", SECRET);

/** Keys of the URL, as they are at the moment. */
let list: object[] = [];
let service: ReturnType<typeof Bun.serve>;
const serve = (port = 0): void => {
  service = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => Response.json({ keys: list }) });
};

interface Named extends Pair {
  alg: string;
  kid: string;
}
const named = (kid: string, alg: string): Named => {
  const kind = KINDS.find(({ algorithms }) => algorithms.includes(alg));
  if (kind === undefined) throw new Error(`no kind of key is for ${alg}`);
  return { ...kind.make(), alg, kid };
};
const jwk = ({ publicKey, kid }: Named): object => ({ ...publicKey.export({ format: "jwk" }), kid });
const tokenOf = ({ alg, kid, privateKey }: Named): string => signed(alg, privateKey, {}, { kid });
const [first, second, third] = [named("first", "EdDSA"), named("second", "ES256"), named("third", "PS256")];

beforeAll(async () => {
  list = [jwk(first)];
  serve();
  await kit.start(
    { secret: SECRET, jwks: `http://127.0.0.1:${service.port}/jwks.json`, "jwks.timeout": "1s", disconnect_after_expire: "on" },
    { "zone.external.allow_anonymous": "false" },
  );
});
afterAll(async () => {
  await kit.stop([SECRET, good.split(".")[2] as string]);
  await service.stop(true);
  rmSync(dir, { recursive: true });
});

describe("signatures", () => {
  test("HS256, HS384 and HS512 with the secret, and with no other", async () => {
    for (const alg of HS)
      expect([alg, await code(signed(alg, SECRET)), await code(signed(alg, `${SECRET} `)), await code(signed(alg, ""))]).toEqual([
        alg,
        0,
        5,
        5,
      ]);
  });

  test("what was changed behind its signature, or has none", async () => {
    const [head, , end] = good.split(".");
    for (const token of [
      `${head}.${b64({ sub: "admin" })}.${end}`,
      `${b64({ alg: "HS384" })}.${b64({})}.${end}`,
      `${head}.${b64({})}.`,
      `${b64({ alg: "none" })}.${b64({})}.`,
      `${b64({ alg: "NONE" })}.${b64({})}.${end}`,
    ])
      expect([token, await code(token)]).toEqual([token, 5]);
    expect(await code(good)).toBe(0);
  });

  const pairs = KINDS.map(({ make }) => [make(), make()] as const);
  /** One of each algorithm, by keys that nobody knows. */
  const strangers = KINDS.flatMap(({ algorithms }, i) => algorithms.map((alg) => [alg, pairs[i]?.[1].privateKey as KeyObject] as const));

  for (const [i, { name, algorithms }] of KINDS.entries()) {
    test(`a public key in a file: ${name} is for ${algorithms.join(", ")} and nothing else, and no secret`, async () => {
      const own = pairs[i]?.[0] as Pair;
      const pubkey = join(dir, `${name}.pem`);
      writeFileSync(pubkey, pem(own));
      for (const secret of [SECRET, ""])
        await kit.withSettings({ pubkey, secret }, async () => {
          for (const alg of algorithms) expect([alg, await code(signed(alg, own.privateKey))]).toEqual([alg, 0]);
          for (const [alg, key] of strangers) expect([alg, await code(signed(alg, key))]).toEqual([alg, 5]);
          // Everybody knows it: whoever signs with its text is nobody.
          for (const alg of HS)
            for (const text of [pem(own), pem(own).trim(), pem(own).replaceAll(/-.*-|\n/g, "")])
              expect([alg, await code(signed(alg, text))]).toEqual([alg, 5]);
          expect(await code(good)).toBe(secret === "" ? 5 : 0);
        });
    });
  }

  test("a key of the URL is no secret, either", async () => {
    expect(await code(tokenOf(first))).toBe(0);
    for (const text of [pem(first), JSON.stringify(jwk(first))])
      for (const alg of HS) expect([alg, await code(signed(alg, text, {}, { kid: first.kid }))]).toEqual([alg, 5]);
  });
});

describe("times", () => {
  const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

  test("expired, not yet valid, issued tomorrow", async () => {
    const codes: number[] = [];
    for (const claims of [
      { exp: inSeconds(600) },
      { exp: inSeconds(-1) },
      { nbf: inSeconds(600) },
      { iat: inSeconds(600) },
      { exp: "never" },
    ])
      codes.push(await code(signed("HS256", SECRET, claims)));
    expect(codes).toEqual([0, 5, 5, 5, 5]);
  });

  test("a connection ends with its token, and nobody else's does", async () => {
    const exp = inSeconds(4);
    const [short, long] = [signed("HS256", SECRET, { exp }), signed("HS256", SECRET, { exp: inSeconds(3600) })];
    const enter = (clientId: string, version: 4 | 5, token: string): Promise<RawClient> =>
      RawClient.connected(kit.broker.ports.tcp, clientId, version, { username: "joe", password: Buffer.from(token) });
    const [leaves, leavesToo, stays] = [await enter("a", 5, short), await enter("b", 4, short), await enter("c", 5, long)];
    const { reasonCode } = await leaves.next("disconnect");
    // By the clock of the token: the same as ours.
    expect([reasonCode, Date.now() >= exp * 1000]).toEqual([0xa0, true]);
    await Promise.all([leaves.whenClosed(), leavesToo.whenClosed()]);
    await stays.ping();
    expect([await code(short), await code(long)]).toEqual([5, 0]);
    stays.drop();
  });
});

describe("keys from a URL", () => {
  const alarmed = async (): Promise<boolean> =>
    JSON.stringify((await kit.api("GET", "../../alarms/present/")).data).includes("emqx_auth_jwt_keys");

  test("a new one comes in, and the one before it is nobody's any more", async () => {
    expect(await code(tokenOf(first))).toBe(0);
    list = [jwk(second)];
    const codes = new Set<number>();
    // They are fetched for a name that is not known, but not again within ten seconds: until then that is no wrong password.
    await until(async () => {
      codes.add(await code(tokenOf(second)));
      await Bun.sleep(50);
      return codes.has(0);
    }, "the new key is fetched");
    expect(codes.difference(new Set([0, 3]))).toEqual(new Set());
    expect(await code(tokenOf(first))).not.toBe(0);
    // Of its name, and signed by somebody else.
    expect(await code(tokenOf(named("second", "ES256")))).toBe(5);
  });

  test("while it is away those that are known let in on, and no other; it comes back with another one, which counts", async () => {
    const port = service.port as number;
    await service.stop(true);
    // What is changed is looked at at once.
    await kit.withSettings({ leeway: "1s" }, async () => {
      await until(async () => (await kit.status()).servers[0]?.state === "down", "it is told as down");
      expect([await code(tokenOf(second)), await code(tokenOf(third)), await code(good)]).toEqual([0, 3, 0]);
      expect(await alarmed()).toBe(true);
      list = [jwk(second), jwk(third)];
      serve(port);
      await until(async () => (await code(tokenOf(third))) === 0, "they are fetched");
      await until(async () => !(await alarmed()), "the alarm is cleared");
      expect(await code(tokenOf(second))).toBe(0);
    });
  });
});
