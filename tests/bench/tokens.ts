/** Part of `bun run bench auth`: how many tokens a second of processor time are looked at, by algorithm, without the broker around it. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { ClientInfo } from "../../server/core/types.ts";
import { checkToken, type JwtRules, oneKey } from "../../server/plugins/auth_jwt/check.ts";
import { keyVerifiers, secretVerifiers } from "../../server/plugins/auth_jwt/token.ts";
import { median, toMarkdown } from "./table.ts";

const SECRET = "emqxsecret";

interface Algorithm {
  alg: string;
  sign(text: Buffer): Buffer;
  rules: JwtRules;
}

const RULES: JwtRules = { secret: null, key: null, claims: null, leeway: 0 };

function signedBy(alg: string, keys: { publicKey: KeyObject; privateKey: KeyObject }, digest: string | null): Algorithm {
  const pem = keys.publicKey.export({ type: "spki", format: "pem" }).toString();
  return {
    alg,
    sign: (text) => sign(digest, text, alg.startsWith("ES") ? { key: keys.privateKey, dsaEncoding: "ieee-p1363" } : keys.privateKey),
    rules: { ...RULES, key: oneKey(keyVerifiers(pem), "auth.jwt.pubkey") },
  };
}

const algorithms = (): Algorithm[] => [
  {
    alg: "HS256",
    sign: (text) => createHmac("sha256", SECRET).update(text).digest(),
    rules: { ...RULES, secret: oneKey(secretVerifiers(SECRET), "auth.jwt.secret") },
  },
  signedBy("RS256", generateKeyPairSync("rsa", { modulusLength: 2048 }), "sha256"),
  signedBy("ES256", generateKeyPairSync("ec", { namedCurve: "prime256v1" }), "sha256"),
  signedBy("EdDSA", generateKeyPairSync("ed25519"), null),
];

/** Looked at and found good, a second of this process's processor time. */
function rate({ alg, sign, rules }: Algorithm, ms: number): number {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Date.now();
  const text = `${part({ alg, typ: "JWT" })}.${part({ username: "u0", exp: Math.floor(now / 1000) + 3600 })}`;
  const token = `${text}.${sign(Buffer.from(text)).toString("base64url")}`;
  const client = { clientId: "c", username: "u0" } as ClientInfo;
  const began = process.cpuUsage();
  const ends = performance.now() + ms;
  let n = 0;
  while (performance.now() < ends)
    for (let i = 0; i < 20; i++, n++)
      if (checkToken(rules, client, token, now).exp === null) throw new Error(`${alg}: a good token is not`);
  const { user, system } = process.cpuUsage(began);
  return (1e6 * n) / (user + system);
}

export function benchTokens(quick: boolean): string {
  const ms = quick ? 200 : 1000;
  const rows = algorithms().map((a) => {
    // The first one is the compiler's.
    const rates = Array.from({ length: 4 }, () => rate(a, ms)).slice(1);
    return [a.alg, (median(rates) / 1000).toFixed(1)];
  });
  return ["Tokens looked at a second of processor time, thousands (RSA of 2,048 bits).", "", toMarkdown([["", "k/s"], ...rows])].join("\n");
}
