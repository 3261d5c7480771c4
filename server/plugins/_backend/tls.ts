/** TLS to a server outside: the paths of a plugin's keys become what the runtime wants. */
import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { type Entry, flag, oneOf, optional, text } from "../../lib/config_entry.ts";
import { whyUnreadable } from "../../lib/file_errors.ts";
import { smallFile } from "../../lib/small_file.ts";

interface Files {
  /** "" = none: for certificates to trust, those of the system. */
  cacertfile: string;
  certfile: string;
  keyfile: string;
  /** The server's certificate must be good for its name. */
  verify: boolean;
}

/** `prefix`: of the keys' names; "" = they have none. @throws Error naming the key whose file cannot be read */
export function tlsFrom(prefix: string, { verify, cacertfile, certfile, keyfile }: Files): Bun.TLSOptions {
  const file = (name: string, path: string): string | undefined => {
    if (path === "") return undefined;
    try {
      return smallFile(path);
    } catch (err) {
      throw new Error(`${prefix}${prefix === "" ? "" : "."}${name} = ${path}: ${whyUnreadable(err)}`);
    }
  };
  const [ca, cert, key] = [file("cacertfile", cacertfile), file("certfile", certfile), file("keyfile", keyfile)];
  return {
    rejectUnauthorized: verify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

/** As `node:tls` wants it for a socket that is there already. */
export function nodeTlsOptions(tls: Bun.TLSOptions, host: string): ConnectionOptions {
  // An address is compared with the certificate all the same, but is no server name [RFC 6066, 3].
  return { host, ...(isIP(host) === 0 && { servername: host }), ...tls } as ConnectionOptions;
}

/** The key below `prefix` that lets the certificate of a server go unlooked at; null = it is looked at, or there is no TLS to any. */
export function unverifiedBy(prefix: string, isTls: boolean, values: Readonly<Record<string, unknown>>): string | null {
  const key = `${prefix}.verify`;
  return isTls && (values[key] === false || values[key] === "verify_none") ? key : null;
}

type TlsTable<P extends string> = { readonly [K in `${P}.${"cacertfile" | "certfile" | "keyfile"}`]: Entry<string> } & {
  readonly [K in `${P}.verify`]: Entry<boolean>;
};
type TlsValues<P extends string> = { readonly [K in `${P}.${"cacertfile" | "certfile" | "keyfile"}`]: string } & {
  readonly [K in `${P}.verify`]: boolean;
};

/** The keys below `prefix`, where EMQ X 3.1 had none. */
export function tlsEntries<P extends string>(prefix: P): TlsTable<P> {
  const ours = { required: false };
  return {
    [`${prefix}.cacertfile`]: text("", "Certificates to trust; empty = those of the system.", ours),
    [`${prefix}.certfile`]: text("", "Certificate to show to the server.", ours),
    [`${prefix}.keyfile`]: text("", "Its key.", ours),
    [`${prefix}.verify`]: flag("on", "The server's certificate must be good for its name. Off: anybody in between can read along.", ours),
  } as TlsTable<P>;
}

/** What the runtime wants. @throws Error naming the key whose file cannot be read */
export function tlsOf<P extends string>(prefix: P, values: TlsValues<P>): Bun.TLSOptions {
  const all = values as Record<string, unknown>;
  const path = (name: string): string => all[`${prefix}.${name}`] as string;
  const verify = all[`${prefix}.verify`] === true;
  return tlsFrom(prefix, { cacertfile: path("cacertfile"), certfile: path("certfile"), keyfile: path("keyfile"), verify });
}

type PeerNames = "cacertfile" | "certfile" | "keyfile";
type PeerTable<P extends string> = { readonly [K in `${P}.${PeerNames}`]: Entry<string | null> } & {
  readonly [K in `${P}.verify`]: Entry<"verify_peer" | "verify_none">;
};
type PeerValues<P extends string> = { readonly [K in `${P}.${PeerNames}`]: string | null } & {
  readonly [K in `${P}.verify`]: "verify_peer" | "verify_none";
};

/** The keys below `prefix` where EMQ X 3.1 had them, unset; it verified nobody, which `verify_none` is. */
export function peerTlsEntries<P extends string>(prefix: P): PeerTable<P> {
  return {
    [`${prefix}.keyfile`]: optional(text("etc/certs/key.pem", "Key of the certificate to show to the server.")),
    [`${prefix}.certfile`]: optional(text("etc/certs/cert.pem", "Certificate to show to the server.")),
    [`${prefix}.cacertfile`]: optional(text("etc/certs/cacert.pem", "Certificates to trust; unset = those of the system.")),
    [`${prefix}.verify`]: oneOf(
      ["verify_peer", "verify_none"],
      "verify_peer",
      "The server's certificate must be good for its name. verify_none: anybody in between can read along, as in EMQ X 3.1.",
      { required: false },
    ),
  } as PeerTable<P>;
}

/** What the runtime wants. @throws Error naming the key whose file cannot be read */
export function peerTlsOf<P extends string>(prefix: P, values: PeerValues<P>): Bun.TLSOptions {
  const all = values as Record<string, string | null>;
  const path = (name: PeerNames): string => all[`${prefix}.${name}`] ?? "";
  const verify = all[`${prefix}.verify`] === "verify_peer";
  return tlsFrom(prefix, { cacertfile: path("cacertfile"), certfile: path("certfile"), keyfile: path("keyfile"), verify });
}
