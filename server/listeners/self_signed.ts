/** A certificate for listeners that have none, made once in the data directory. */
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

const YEARS_MS = 10 * 365.25 * 24 * 3600 * 1000;
const DAY_MS = 24 * 3600 * 1000;

export interface CertificateFiles {
  keyfile: string;
  certfile: string;
}

/**
 * The files of the self-signed pair in `<dataDir>/certs`; made when one of them is missing.
 * Private key EC P-256, mode 0600; names: localhost, 127.0.0.1, ::1 and the host's own name; valid for ten years.
 */
export async function selfSignedFiles(dataDir: string, now: number): Promise<CertificateFiles> {
  const dir = join(dataDir, "certs");
  const files = { keyfile: join(dir, "key.pem"), certfile: join(dir, "cert.pem") };
  if (existsSync(files.keyfile) && existsSync(files.certfile)) return files;
  mkdirSync(dir, { recursive: true });
  const { key, cert } = await generate(now);
  replaceFile(files.keyfile, key, 0o600);
  replaceFile(files.certfile, cert, 0o644);
  return files;
}

/** Never a half-written file, never a moment in which the key is readable for others. */
function replaceFile(path: string, text: string, mode: number): void {
  const draft = `${path}.new`;
  writeFileSync(draft, text, { mode });
  chmodSync(draft, mode);
  renameSync(draft, path);
}

async function generate(now: number): Promise<{ key: string; cert: string }> {
  // Only the first start needs these; everybody else's start-up stays fast.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: "CN=baomq",
    // A day back: clocks of small devices are often behind.
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + YEARS_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(subjectNames()),
    ],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/(.{64})(?=.)/g, "$1\n")}\n-----END PRIVATE KEY-----\n`;
  return { key, cert: `${cert.toString("pem")}\n` };
}

/** 16 random bytes in hex, positive. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

function subjectNames(): { type: "dns" | "ip"; value: string }[] {
  const host = hostname();
  const own = /^[A-Za-z0-9.-]+$/.test(host) && host !== "localhost" ? [{ type: "dns" as const, value: host }] : [];
  return [{ type: "dns", value: "localhost" }, ...own, { type: "ip", value: "127.0.0.1" }, { type: "ip", value: "::1" }];
}
