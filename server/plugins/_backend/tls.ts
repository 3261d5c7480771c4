/** TLS to a server outside: the paths of a plugin's keys become what the runtime wants. */
import { readFileSync } from "node:fs";

export interface TlsPaths {
  /** "" = none: for certificates to trust, those of the system. */
  cacertfile: string;
  certfile: string;
  keyfile: string;
  /** The server's certificate must be good for its name. */
  verify: boolean;
}

/** @throws when a file cannot be read */
export function tlsOptions({ cacertfile, certfile, keyfile, verify }: TlsPaths): Bun.TLSOptions {
  const file = (path: string): string | undefined => (path === "" ? undefined : readFileSync(path, "utf8"));
  const [ca, cert, key] = [file(cacertfile), file(certfile), file(keyfile)];
  return {
    rejectUnauthorized: verify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}
