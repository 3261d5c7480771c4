/** ldapts for one directory: connections that are bound before anybody asks through them, and entries as the plugin wants them. */
import type { Client, Entry } from "ldapts";
import { Links } from "../_backend/links.ts";
import type { Judgement } from "../_backend/options.ts";
import { Order, partOf } from "../_backend/order.ts";
import { nodeTlsOptions } from "../_backend/tls.ts";

export interface LdapServers {
  /** Tried in this order, but first the one that answered last. */
  hosts: readonly string[];
  port: number;
  bindDn: string;
  bindPassword: string;
  pool: number;
  timeoutMs: number;
  /** null = no TLS; `start`: from the first byte (ldaps), or by StartTLS. */
  tls: { options: Bun.TLSOptions; start: "ldaps" | "starttls" } | null;
}

/** An entry's attributes, each with its values. */
export type Found = ReadonlyMap<string, readonly Buffer[]>;

const NO_SUCH_OBJECT = 32;
const INVALID_DN = 34;
const INVALID_CREDENTIALS = 49;

type Library = typeof import("ldapts");

/** Opens drivers, one after another, that know of the ones before which host answers. */
export function ldapDrivers(o: LdapServers): () => Promise<LdapDriver> {
  const hosts = new Order(o.hosts);
  return async () => new LdapDriver(await import("ldapts"), o, hosts);
}

export class LdapDriver {
  readonly #links: Links<Client>;

  constructor(
    private readonly library: Library,
    private readonly o: LdapServers,
    private readonly hosts: Order<string>,
  ) {
    this.#links = new Links<Client>(o.pool, {
      open: () => this.#bound(o.bindDn, o.bindPassword),
      alive: (client) => client.isConnected,
      close: (client) => void left(client),
    });
  }

  /** The entry of this name if it is of this class. null = there is none. */
  async entry(dn: string, objectClass: string, attributes: readonly string[]): Promise<Found | null> {
    const client = await this.#links.ready();
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
      await left(await this.#bound(dn, Buffer.from(password).toString("utf8")));
      return true;
    } catch (err) {
      if (codeOf(err) === INVALID_CREDENTIALS) return false;
      throw err;
    }
  }

  /** The root of all: every server shows it. */
  async probe(): Promise<void> {
    const client = await this.#links.ready();
    await client.search("", { scope: "base", attributes: ["1.1"] });
  }

  close(): void {
    this.#links.close();
  }

  /** Connected with the first host that answers in its part of the time, and bound. */
  async #bound(dn: string, password: string): Promise<Client> {
    const part = partOf(this.o.timeoutMs, this.o.hosts.length);
    let why: unknown = new Error("no server");
    for (const host of this.hosts.all) {
      const client = this.#client(host, part);
      try {
        await within(part, host, this.#introduce(client, host, dn, password));
        this.hosts.answered(host);
        return client;
      } catch (err) {
        void left(client);
        why = err;
        // Whoever answers has the last word.
        if (codeOf(err) !== null) {
          this.hosts.answered(host);
          break;
        }
      }
    }
    throw why;
  }

  /** Not connected yet. */
  #client(host: string, connectTimeout: number): Client {
    const { tls, port, timeoutMs } = this.o;
    return new this.library.Client({
      url: `${tls?.start === "ldaps" ? "ldaps" : "ldap"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
      timeout: timeoutMs,
      connectTimeout,
      ...(tls?.start === "ldaps" && { tlsOptions: nodeTlsOptions(tls.options, host) }),
    });
  }

  async #introduce(client: Client, host: string, dn: string, password: string): Promise<void> {
    const { tls } = this.o;
    if (tls?.start === "starttls") await client.startTLS(nodeTlsOptions(tls.options, host));
    await client.bind(dn, password);
  }
}

/** Whoever does not answer by then is left: somebody else may. */
async function within(ms: number, host: string, work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${host} does not answer within ${ms} ms`)), ms);
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function left(client: Client): Promise<void> {
  try {
    await client.unbind();
  } catch {
    // It is gone already.
  }
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

/** strongerAuthRequired, confidentialityRequired, inappropriateAuthentication, our account is not taken, busy, unavailable: so it is for everybody. */
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
