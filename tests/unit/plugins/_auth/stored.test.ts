/** Passwords as other people's tables keep them: each kind, right and wrong, against values made elsewhere. */
import { describe, expect, test } from "bun:test";
import { createHash, pbkdf2, pbkdf2Sync } from "node:crypto";
import { promisify } from "node:util";
import { HashQueue } from "../../../../server/plugins/_auth/hash_queue.ts";
import { parseStoredKind, StoredCheck, type StoredKind } from "../../../../server/plugins/_auth/stored.ts";
import { everyTurn } from "../../../support/turns.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const kindOf = (text: string): StoredKind => {
  const kind = parseStoredKind(text);
  if (kind === null) throw new Error(`${text} is no kind`);
  return kind;
};
const hex = (algorithm: string, text: string): string => createHash(algorithm).update(text).digest("hex");

/** Kind, stored text, salt column; the password is "public". */
const GOOD: [kind: string, stored: string, salt: string][] = [
  ["plain", "public", ""],
  ["md5", "4c9184f37cff01bcdc32dc486ec36961", ""],
  ["sha", hex("sha1", "public"), ""],
  ["sha256", "efa1f375d76194fa51a3556a97e641e61685f914d446979da50a551a4333ffd7", ""],
  ["sha512", hex("sha512", "public"), ""],
  ["sha256", hex("sha256", "public").toUpperCase(), ""],
  ["salt,sha256", hex("sha256", "peppublic"), "pep"],
  ["sha256,salt", hex("sha256", "publicpep"), "pep"],
  ["md5,salt", hex("md5", "publicpep"), "pep"],
];

describe("each kind", () => {
  for (const [kind, stored, salt] of GOOD) {
    test(`${kind}: the right password and no other`, async () => {
      const check = new StoredCheck();
      expect(await check.verify(kindOf(kind), { stored, salt }, bytes("public"))).toBe(true);
      for (const wrong of ["", "Public", "public ", "publi", "public\0"])
        expect(await check.verify(kindOf(kind), { stored, salt }, bytes(wrong))).toBe(false);
    });
  }

  test("pbkdf2: the vectors of RFC 6070 and RFC 7914, and one of Python's hashlib", async () => {
    const check = new StoredCheck();
    const rows: [kind: string, password: string, salt: string, stored: string][] = [
      ["pbkdf2,sha,1,20", "password", "salt", "0c60c80f961f0e71f3a9b524af6012062fe037a6"],
      ["pbkdf2,sha,4096,20", "password", "salt", "4b007901b765489abead49d926f721d065a429c1"],
      [
        "pbkdf2,sha256,1,64",
        "passwd",
        "salt",
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
      ],
      ["pbkdf2,sha256,1000,20", "public", "pep", "6298564b375271570bda90c33c5e2bfa6a40a28d"],
    ];
    for (const [kind, password, salt, stored] of rows) {
      expect(await check.verify(kindOf(kind), { stored, salt }, bytes(password))).toBe(true);
      expect(await check.verify(kindOf(kind), { stored, salt: `${salt}x` }, bytes(password))).toBe(false);
      expect(await check.verify(kindOf(kind), { stored, salt }, bytes(`${password}x`))).toBe(false);
    }
  });

  test("pbkdf2 with every digest that 3.1 names", async () => {
    const check = new StoredCheck();
    // OpenSSL's `kdf … PBKDF2`, and Python's hashlib where that knows the digest.
    const known = {
      md4: "c3817a9c9b43a486bf50459715f3ec1c",
      md5: "64f579c8c5f5edb3eb02c2a2fe9a4c4c",
      ripemd160: "f58089fe87bd374cb539d23026fda8f8",
      sha: "7c9baeb5574246740e81ac4a019c9390",
      sha224: "ace0285cd1304b0d8ee5f8209e0df585",
      sha256: "5bd228cee9c4d7f0f472c8cbf57ff744",
      sha384: "ba024ae47fe3bf92e42d12d42c55f6af",
      sha512: "f63b105d6eb039478e33842dc3cd12a4",
    };
    for (const [digest, stored] of Object.entries(known)) {
      const verify = async (password: string): Promise<boolean | null> =>
        await check.verify(kindOf(`pbkdf2,${digest},10,16`), { stored, salt: "pepper1234567890" }, bytes(password));
      expect([digest, await verify("public"), await verify("Public")]).toEqual([digest, true, false]);
    }
  });

  test("bcrypt, with its salt in the text, and beside it", async () => {
    const check = new StoredCheck();
    // The first vectors of the bcrypt test suite of OpenBSD and of crypt_blowfish.
    const a = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    expect(await check.verify(kindOf("bcrypt"), { stored: a, salt: "" }, bytes("U*U"))).toBe(true);
    expect(await check.verify(kindOf("bcrypt"), { stored: a.replace("$2a$", "$2y$"), salt: "" }, bytes("U*U"))).toBe(true);
    for (const kind of ["salt,bcrypt", "bcrypt,salt"]) {
      expect(await check.verify(kindOf(kind), { stored: a, salt: a.slice(0, 29) }, bytes("U*U"))).toBe(true);
      expect(await check.verify(kindOf(kind), { stored: a, salt: a.slice(0, 28) }, bytes("U*U"))).toBe(false);
      expect(await check.verify(kindOf(kind), { stored: a, salt: "" }, bytes("U*U"))).toBe(false);
    }
    for (const wrong of ["", "U*U*", "u*u"])
      expect(await check.verify(kindOf("bcrypt"), { stored: a, salt: "" }, bytes(wrong))).toBe(false);
  });

  test("bcrypt looks at 72 bytes, as everybody's does", async () => {
    const check = new StoredCheck();
    const stored = await Bun.password.hash("x".repeat(72), { algorithm: "bcrypt", cost: 4 });
    expect(await check.verify(kindOf("bcrypt"), { stored, salt: "" }, bytes("x".repeat(72)))).toBe(true);
    expect(await check.verify(kindOf("bcrypt"), { stored, salt: "" }, bytes(`${"x".repeat(72)}more`))).toBe(true);
    expect(await check.verify(kindOf("bcrypt"), { stored, salt: "" }, bytes("x".repeat(71)))).toBe(false);
  });

  test("a text of another kind is no bcrypt hash: nobody gets in with it", async () => {
    const check = new StoredCheck();
    const argon = await Bun.password.hash("p", { algorithm: "argon2id", memoryCost: 1024, timeCost: 1 });
    for (const stored of [argon, "", "p", "$2a$05$short", "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"])
      expect(await check.verify(kindOf("bcrypt"), { stored, salt: "" }, bytes("p"))).toBe(false);
  });
});

describe("what stands there and cannot be checked is nobody's password, and told", () => {
  const good = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
  const odd: [title: string, stored: string, told: string][] = [
    ["a cost that would hold a thread for days", good.replace("$05$", "$31$"), "a bcrypt hash of cost 31"],
    ["the first cost that is too high", good.replace("$05$", "$16$"), "at most 15"],
    ["a cost that is none", good.replace("$05$", "$00$"), "PASSWORD_WEAK_PARAMETERS"],
    ["bits that no hash has", `$2a$10$${"a".repeat(53)}`, "PASSWORD_INVALID_ENCODING"],
  ];
  for (const [title, stored, words] of odd) {
    test(title, async () => {
      const told: string[] = [];
      const check = new StoredCheck(new HashQueue(1, 0));
      const tell = (what: string): void => void told.push(what);
      expect(await check.verify(kindOf("bcrypt"), { stored, salt: "" }, bytes("U*U"), () => true, tell)).toBe(false);
      expect(told).toEqual([expect.stringContaining(words)]);
      // Nothing is left running in the queue.
      expect(await check.verify(kindOf("bcrypt"), { stored: good, salt: "" }, bytes("U*U"))).toBe(true);
    });
  }
});

test("slow kinds are asked once for the right password, again for a wrong one, and refused when too many wait", async () => {
  const check = new StoredCheck(new HashQueue(1, 0));
  const stored = await Bun.password.hash("p", { algorithm: "bcrypt", cost: 4 });
  const row = { stored, salt: "" };
  const first = check.verify(kindOf("bcrypt"), row, bytes("p"));
  expect(first).toBeInstanceOf(Promise);
  expect(check.verify(kindOf("bcrypt"), row, bytes("q"))).toBeNull();
  expect(await first).toBe(true);
  expect(check.verify(kindOf("bcrypt"), row, bytes("p"))).toBe(true);
  expect(check.verify(kindOf("bcrypt"), row, bytes("q"))).toBeInstanceOf(Promise);
});

describe("slow kinds are hashed beside the event loop, which goes on turning", () => {
  /** A good one of each takes some tenths of a second. */
  const SLOW: [kind: string, make: () => Promise<{ stored: string; salt: string }>][] = [
    ["bcrypt", async () => ({ stored: await Bun.password.hash("p", { algorithm: "bcrypt", cost: 12 }), salt: "" })],
    [
      "pbkdf2,sha256,1000000,20",
      async () => ({ stored: (await promisify(pbkdf2)("p", "s", 1_000_000, 20, "sha256")).toString("hex"), salt: "s" }),
    ],
  ];
  for (const [text, make] of SLOW)
    test(`${text}: for the right password, a wrong one, and a name that is nobody's`, async () => {
      const check = new StoredCheck(new HashQueue(1));
      const [kind, row] = [kindOf(text), await make()];
      const during = async (hash: () => unknown): Promise<[answer: unknown, turns: number]> => {
        let turns = 0;
        const stop = everyTurn(() => void turns++);
        const answer = await hash();
        stop();
        return [answer, turns];
      };
      const asked: [what: string, answer: boolean, hash: () => unknown][] = [
        ["right", true, () => check.verify(kind, row, bytes("p"))],
        ["wrong", false, () => check.verify(kind, row, bytes("q"))],
        ["nobody's", false, () => check.verifyNobody(kind, bytes("p"))],
      ];
      for (const [what, answer, hash] of asked) {
        const [found, turns] = await during(hash);
        expect([what, found]).toEqual([what, answer]);
        expect(turns).toBeGreaterThan(50);
      }
    });
});

test("what was right by one kind is not right by another", async () => {
  const check = new StoredCheck();
  const row = { stored: pbkdf2Sync("p", "s", 10, 20, "sha256").toString("hex"), salt: "s" };
  const of = async (text: string) => check.verify(kindOf(text), row, bytes("p"));
  expect([
    await of("pbkdf2,sha256,10,20"),
    await of("pbkdf2,sha256,11,20"),
    await of("pbkdf2,sha512,10,20"),
    await of("pbkdf2,sha256,10,20"),
  ]).toEqual([true, false, false, true]);
});

test("words that are no kind", () => {
  for (const text of [
    "",
    "sha3",
    "salt",
    "salt,salt",
    "sha256,pepper",
    "salt,plain",
    "sha256,salt,md5",
    "pbkdf2",
    "pbkdf2,sha256,1000",
    "pbkdf2,sha256,0,20",
    "pbkdf2,sha256,99999999,20",
    "pbkdf2,sha256,1000,4096",
    // 32 blocks of as many rounds.
    "pbkdf2,md5,1000000,512",
    "pbkdf2,constructor,1000,20",
    "constructor",
    "salt,constructor",
  ])
    expect(parseStoredKind(text)).toBeNull();
});
