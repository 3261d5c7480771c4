/** Certificates of two authorities: a server's for 127.0.0.1 and for another name, a client's of each, made anew for each test run. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runNow } from "./servers.ts";

interface Pair {
  cert: string;
  key: string;
}

export class Certificates {
  readonly dir = mkdtempSync(join(tmpdir(), "baomq-certs-"));
  readonly ca = this.#authority("ca");
  readonly strangersCa = this.#authority("strangers");
  readonly server = this.#signed("server", "subjectAltName=IP:127.0.0.1,DNS:localhost");
  readonly elsewhere = this.#signed("elsewhere", "subjectAltName=DNS:elsewhere.example");
  readonly client = this.#signed("client", "extendedKeyUsage=clientAuth");
  readonly strangersClient = this.#signed("strangers-client", "extendedKeyUsage=clientAuth", this.strangersCa);

  #authority(name: string): Pair {
    const [cert, key] = [join(this.dir, `${name}.pem`), join(this.dir, `${name}.key`)];
    const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert];
    runNow(["openssl", "req", "-x509", ...made, "-days", "2", "-subj", `/CN=${name}`]);
    return { cert, key };
  }

  #signed(name: string, extension: string, ca = this.ca): Pair {
    const [cert, key, request, more] = ["pem", "key", "csr", "ext"].map((end) => join(this.dir, `${name}.${end}`)) as [
      string,
      string,
      string,
      string,
    ];
    writeFileSync(more, extension);
    const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", request];
    runNow(["openssl", "req", ...made, "-subj", `/CN=${name}`]);
    const by = ["-CA", ca.cert, "-CAkey", ca.key, "-CAcreateserial"];
    runNow(["openssl", "x509", "-req", "-in", request, "-out", cert, ...by, "-days", "2", "-extfile", more]);
    return { cert, key };
  }

  /** Others than root have to read them. */
  openTo(account: string): void {
    runNow(["chmod", "755", this.dir]);
    if (process.getuid?.() === 0) runNow(["chown", "-R", account, this.dir]);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
