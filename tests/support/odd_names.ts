/** Certificates of clients with common names in which anything may be, which openssl's command line would not take; one authority signs all of them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Texts of a certificate and its key. */
interface Pair {
  cert: string;
  key: string;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;

/** One key is enough for all of them. */
const newKeys = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);

export class OddNames {
  readonly #dir = mkdtempSync(join(tmpdir(), "baomq-certs-"));
  /** Of the authority. */
  readonly cacertfile = join(this.#dir, "ca.pem");
  readonly #made = new Map<string, Promise<Pair>>();
  #serial = 0x4000_0000;

  private constructor(
    private readonly authority: CryptoKeyPair,
    private readonly client: CryptoKeyPair,
  ) {}

  static async create(): Promise<OddNames> {
    const made = new OddNames(await newKeys(), await newKeys());
    writeFileSync(made.cacertfile, await made.#certificate("authority", made.authority.publicKey));
    return made;
  }

  /** One of a client with this common name and nothing else in its subject. */
  named(cn: string): Promise<Pair> {
    const made = this.#made.get(cn) ?? this.#pair(cn);
    this.#made.set(cn, made);
    return made;
  }

  async #pair(cn: string): Promise<Pair> {
    const { publicKey, privateKey } = this.client;
    const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", privateKey)).toString("base64");
    const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`;
    return { cert: await this.#certificate(cn, publicKey), key };
  }

  async #certificate(cn: string, publicKey: CryptoKey): Promise<string> {
    await import("reflect-metadata");
    const { BasicConstraintsExtension, Name, X509CertificateGenerator } = await import("@peculiar/x509");
    const certificate = await X509CertificateGenerator.create({
      serialNumber: (this.#serial++).toString(16),
      // As a text there would be escapes in it.
      subject: new Name([{ CN: [{ utf8String: cn }] }]),
      issuer: new Name([{ CN: [{ utf8String: "authority" }] }]),
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      signingAlgorithm: ALGORITHM,
      publicKey,
      signingKey: this.authority.privateKey,
      extensions: [new BasicConstraintsExtension(publicKey === this.authority.publicKey)],
    });
    return `${certificate.toString("pem")}\n`;
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
