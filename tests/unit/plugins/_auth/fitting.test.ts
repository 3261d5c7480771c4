import { describe, expect, test } from "bun:test";
import { createHash, pbkdf2Sync } from "node:crypto";
import { fittingKinds } from "../../../../server/plugins/_auth/fitting.ts";
import { hashes } from "../../../../server/plugins/_auth/hash_queue.ts";

const hex = (digest: string, ...parts: string[]): string => {
  const h = createHash(digest);
  for (const part of parts) h.update(part);
  return h.digest("hex");
};
const tried = (stored: string, salt = "", iterations: number | null = null, password = "public") =>
  fittingKinds({ stored, salt, password, iterations });
const fits = async (...asked: Parameters<typeof tried>): Promise<string[] | null> => (await tried(...asked))?.kinds ?? null;

test("the setting that fits is found, and none that does not", async () => {
  expect(await fits("public")).toEqual(["plain"]);
  expect([await fits(hex("md5", "public")), await fits(hex("sha1", "public")), await fits(hex("sha512", "public").toUpperCase())]).toEqual([
    ["md5"],
    ["sha"],
    ["sha512"],
  ]);
  expect([await fits(hex("sha256", "pep", "public"), "pep"), await fits(hex("sha256", "public", "pep"), "pep")]).toEqual([
    ["salt,sha256"],
    ["sha256,salt"],
  ]);
  expect(await fits(Bun.password.hashSync("public", { algorithm: "bcrypt", cost: 4 }))).toEqual(["bcrypt"]);
  expect([await fits("other"), await fits(hex("md5", "other")), await fits("")]).toEqual([[], [], []]);
});

test("PBKDF2 with the usual numbers of rounds, and with one that is given", async () => {
  const derived = (rounds: number, length: number, mac: string): string => pbkdf2Sync("public", "pep", rounds, length, mac).toString("hex");
  expect(await fits(derived(1000, 20, "sha256"), "pep")).toEqual(["pbkdf2,sha256,1000,20"]);
  expect(await fits(derived(4096, 64, "sha512"), "pep")).toEqual(["pbkdf2,sha512,4096,64"]);
  expect([await fits(derived(777, 32, "sha1"), "pep"), await fits(derived(777, 32, "sha1"), "pep", 777)]).toEqual([
    [],
    ["pbkdf2,sha,777,32"],
  ]);
});

test("whoever asks too often is told so", async () => {
  const slow = pbkdf2Sync("public", "pep", 7, 20, "md5").toString("hex");
  const all = await Promise.all(Array.from({ length: 15 }, () => fits(slow, "pep")));
  expect(all.filter((found) => found === null)).toHaveLength(4);
});

test("while log-ins fill the line of slow hashes nothing is said not to fit; what needs no place there is found", async () => {
  const bcrypt = Bun.password.hashSync("public", { algorithm: "bcrypt", cost: 4 });
  const full = Promise.withResolvers<void>();
  const waiting: Promise<void>[] = [];
  for (let taken: Promise<void> | null = null; ; waiting.push(taken)) {
    taken = hashes.run({ kind: "of the test", guessMs: 50 }, `10.0.0.${waiting.length}`, () => full.promise);
    if (taken === null) break;
  }
  try {
    expect(await tried(bcrypt)).toBeNull();
    expect(await tried("11".repeat(20), "pep")).toBeNull();
    expect(await fits(hex("md5", "pep", "public"), "pep")).toEqual(["salt,md5"]);
  } finally {
    full.resolve();
    await Promise.all(waiting);
  }
  expect(await fits(bcrypt)).toEqual(["bcrypt"]);
});

describe("what would hold a thread for minutes, and everybody who asks behind it, is not tried; that is said, with the bound", () => {
  const bcrypt = Bun.password.hashSync("public", { algorithm: "bcrypt", cost: 4 });
  const costing = (cost: string): string => bcrypt.replace(/^(\$2.\$)04/, `$1${cost}`);

  test("bcrypt of a high cost", async () => {
    for (const cost of ["16", "31"]) {
      const untried = `a bcrypt hash of cost ${cost}: it would take too long to check, at most 15 is`;
      expect(await tried(costing(cost))).toEqual({ kinds: [], untried });
      expect(await tried(costing(cost), costing(cost).slice(0, 29))).toEqual({ kinds: [], untried });
    }
    expect(await tried(bcrypt)).toEqual({ kinds: ["bcrypt"], untried: null });
  });

  test("PBKDF2 with many rounds of one's own for many bytes; the usual ones are tried all the same", async () => {
    const derived = pbkdf2Sync("public", "pep", 1000, 64, "sha512").toString("hex");
    const untried = "1000000 rounds for 64 bytes: it would take too long, rounds x bytes are at most 20000000";
    expect(await tried(derived, "pep", 1_000_000)).toEqual({ kinds: ["pbkdf2,sha512,1000,64"], untried });
    expect(await tried("00".repeat(64), "pep", 1_000_000)).toEqual({ kinds: [], untried });
    expect(await tried("00", "pep", 2000)).toEqual({ kinds: [], untried: null });
  });

  test("a text that only looks like a bcrypt hash fits nothing", async () => {
    expect(await tried(`$2a$10$${"a".repeat(53)}`)).toEqual({ kinds: [], untried: null });
    expect(await tried(costing("03"))).toEqual({ kinds: [], untried: null });
  });
});
