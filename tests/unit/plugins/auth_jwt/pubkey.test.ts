/** A public key in a file that is another one while the plugin runs. */
import { afterAll, expect, test } from "bun:test";
import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { authJwt } from "../../../../server/plugins/auth_jwt/index.ts";
import { logIn, removeTempDirs, running, tempDir } from "../harness.ts";
import { pair, signed } from "./keys.ts";

afterAll(removeTempDirs);

test("another key in the file counts within ten seconds; what is no key leaves the one that there was, and is told once", async () => {
  const [a, b] = [pair(), pair()];
  const file = join(tempDir(), "key.pem");
  let written = 1_700_000_000;
  const write = (text: string): void => {
    writeFileSync(file, text);
    utimesSync(file, ++written, written);
  };
  const pem = ({ publicKey }: ReturnType<typeof pair>): string => publicKey.export({ type: "spki", format: "pem" }).toString();
  write(pem(a));
  const { kit } = await running(authJwt, { settings: { "auth.jwt.secret": "", "auth.jwt.pubkey": file } });
  kit.zone.allowAnonymous = false;
  const codes = async (): Promise<number[]> => [
    await logIn(kit, "joe", signed(a.privateKey)),
    await logIn(kit, "joe", signed(b.privateKey)),
  ];
  expect(await codes()).toEqual([0, 0x87]);

  write(pem(b));
  kit.clock.time += 10_000;
  expect(await codes()).toEqual([0x87, 0]);

  for (const spoil of [() => write("no key"), () => rmSync(file)]) {
    kit.log.lines.length = 0;
    spoil();
    for (let i = 0; i < 3; i++) {
      kit.clock.time += 10_000;
      expect(await codes()).toEqual([0x87, 0]);
    }
    const told = kit.log.lines.filter((line) => line.level === "warn");
    expect(told.map((line) => line.message)).toEqual(["auth.jwt.pubkey goes on with the key that it had"]);
    expect(told[0]?.fields?.error).toStartWith(`auth.jwt.pubkey = ${file}: `);
  }
  write(pem(a));
  kit.clock.time += 10_000;
  expect(await codes()).toEqual([0, 0x87]);

  // Nothing of the file tells that it can be read now, as when its rights are mended.
  const at = ++written;
  for (const text of [pem(b).replace("PUBLIC KEY", "PUBLIX KEY"), pem(b)]) {
    writeFileSync(file, text);
    utimesSync(file, at, at);
    kit.clock.time += 10_000;
    expect(await codes()).toEqual(text === pem(b) ? [0x87, 0] : [0, 0x87]);
  }
});
