/** ldapts for one directory: connections that are bound before anybody asks through them, and entries as the plugin wants them. */
import type { Client, Entry } from "ldapts";
import type { Judgement } from "../_backend/backend.ts";
import { Links } from "../_backend/links.ts";
import { nodeTlsOptions, type TlsPaths } from "../_backend/tls.ts";

export interface LdapServers {
  /** Tried in this order. */
  hosts: readonly string[];
  port: number;
  bindDn: string;
  bindPassword: string;
  pool: number;
  timeoutMs: number;
  /** null = no TLS; `start`: from the first byte (ldaps), or by StartTLS. */
  tls: { paths: TlsPaths; start: "ldaps" | "starttls" } | null;
}

/** An entry's attributes, each with its values. */
export type Found = ReadonlyMap<string, readonly Buffer[]>;

const NO_SUCH_OBJECT = 32;
const INVALID_DN = 34;
const INVALID_CREDENTIALS = 49;

type Library = typeof import("ldapts");

export class LdapDriver {
  private constructor(
    private readonly library: Library,
    private readonly o: LdapServers,
    private readonly links: Links<Client>,
  ) {}

  static async open(o: LdapServers): Promise<LdapDriver> {
    const library = await import("ldapts");
    const links = new Links<Client>(o.pool, {
      open: () => bound(library, o, o.bindDn, o.bindPassword),
      alive: (client) => client.isConnected,
      close: left,
    });
    return new LdapDriver(library, o, links);
  }

  /** The entry of this name if it is of this class. null = there is none. */
  async entry(dn: string, objectClass: string, attributes: readonly string[]): Promise<Found | null> {
    const client = await this.links.ready();
    const filter = new this.library.EqualityFilter({ attribute: "objectClass", value: objectClass });
    try {
      const { searchEntries } = await client.search(dn, {
        scope: "base",
        filter,
        attributes: [...attributes],
        explicitBufferAttributes: [...attributes],
        sizeLimit: 1,
      });
      return searchEntries[0] === undefined ? null : found(searchEntries[0]);
    } catch (err) {
      const code = codeOf(err);
      // A name that cannot be one is nobody's.
      if (code === NO_SUCH_OBJECT || code === INVALID_DN) return null;
      throw err;
    }
  }

  /** Does the server take this password for this name? On a connection of its own. `password`: never empty, which many servers take for nobody's. */
  async binds(dn: string, password: Uint8Array): Promise<boolean> {
    try {
      left(await bound(this.library, this.o, dn, Buffer.from(password).toString("utf8")));
      return true;
    } catch (err) {
      if (codeOf(err) === INVALID_CREDENTIALS) return false;
      throw err;
    }
  }

  /** The root of all: every server shows it. */
  async probe(): Promise<void> {
    const client = await this.links.ready();
    await client.search("", { scope: "base", attributes: ["1.1"] });
  }

  close(): void {
    this.links.close();
  }
}

/** Connected with the first host that is there, and bound. */
async function bound(library: Library, o: LdapServers, dn: string, password: string): Promise<Client> {
  let why: unknown = new Error("no server");
  for (const host of o.hosts) {
    const url = `${o.tls?.start === "ldaps" ? "ldaps" : "ldap"}://${host.includes(":") ? `[${host}]` : host}:${o.port}`;
    const tls = o.tls === null ? {} : nodeTlsOptions(o.tls.paths, host);
    const client = new library.Client({
      url,
      timeout: o.timeoutMs,
      connectTimeout: o.timeoutMs,
      ...(o.tls?.start === "ldaps" && { tlsOptions: tls }),
    });
    try {
      if (o.tls?.start === "starttls") await client.startTLS(tls);
      await client.bind(dn, password);
      return client;
    } catch (err) {
      left(client);
      // Whoever answers has the last word.
      if (codeOf(err) !== null) throw err;
      why = err;
    }
  }
  throw why;
}

function left(client: Client): void {
  client.unbind().catch(() => {
    // It is gone already.
  });
}

function found(entry: Entry): Found {
  const values = (v: unknown): Buffer[] => (Array.isArray(v) ? v.flatMap(values) : [Buffer.isBuffer(v) ? v : Buffer.from(String(v))]);
  return new Map(Object.entries(entry).map(([name, v]) => [name.toLowerCase(), values(v)]));
}

/** The result code of an answer [RFC 4511, A.1]; null = it is none. */
function codeOf(err: unknown): number | null {
  const { code } = (err ?? {}) as { code?: unknown };
  return typeof code === "number" ? code : null;
}

/** busy, unavailable, unwillingToPerform, insufficientAccessRights at our own account, ...: nobody is answered until that is mended. */
const AWAY = new Set([8, 13, 48, INVALID_CREDENTIALS, 51, 52]);

export function judgeLdap(err: unknown): Judgement {
  const code = codeOf(err);
  if (code !== null) return AWAY.has(code) ? "down" : "refused";
  const { message, code: word } = (err ?? {}) as { message?: unknown; code?: unknown };
  return word === "ECONNRESET" || word === "EPIPE" || /^Connection closed before|^Socket connection not established/.test(String(message))
    ? "lost"
    : "down";
}

/** The library's messages end with the code in hexadecimal; its name says more. */
export function ldapWords(err: unknown): string {
  const { name, message } = (err ?? {}) as { name?: unknown; message?: unknown };
  const text = String(message ?? err).trim();
  return codeOf(err) === null ? text : `${String(name).replace(/Error$/, "")}: ${text}`;
}
