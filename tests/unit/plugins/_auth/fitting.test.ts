import { expect, test } from "bun:test";
import { createHash, pbkdf2Sync } from "node:crypto";
import { fittingKinds } from "../../../../server/plugins/_auth/fitting.ts";

const hex = (digest: string, ...parts: string[]): string => {
  const h = createHash(digest);
  for (const part of parts) h.update(part);
  return h.digest("hex");
};
const fits = (stored: string, salt = "", iterations: number | null = null, password = "public"): Promise<string[] | null> =>
  fittingKinds({ stored, salt, password, iterations });

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
