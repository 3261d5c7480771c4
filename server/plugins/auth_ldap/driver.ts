/** ldapts for one directory: connections that are bound before anybody asks through them, and entries as the plugin wants them. */
import type { Client, Entry } from "ldapts";
import { BackendError } from "../_backend/errors.ts";
import { Links } from "../_backend/links.ts";
import type { Judgement } from "../_backend/options.ts";
import { Order, partOf } from "../_backend/order.ts";
import { nodeTlsOptions } from "../_backend/tls.ts";
import { NAMING } from "./advice.ts";

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

/** Which entries count, and what is wanted of them. */
export interface Wanted {
  objectClass: string;
  attributes: readonly string[];
  /** A name that can be one, whatever its attribute's syntax is, if the base and the attribute can. */
  harmless: string;
}

/** An entry's attributes, each with its values. */
export type Found = ReadonlyMap<string, readonly Buffer[]>;

const NO_SUCH_OBJECT = 32;
const INVALID_DN = 34;
const INVALID_CREDENTIALS = 49;
const BUSY = 51;
const UNAVAILABLE = 52;
/** timeLimitExceeded, adminLimitExceeded, busy, unavailable, other (an error within the server): nobody has looked at the password. */
const NOT_LOOKED = new Set([3, 11, BUSY, UNAVAILABLE, 80]);

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
      open: async () => (await this.#linked((client) => client.bind(o.bindDn, o.bindPassword))).client,
      alive: (client) => client.isConnected,
      close: (client) => void left(client),
    });
  }

  /** The entry of this name if it is one that counts. null = there is none. @throws BackendError when no entry can have such a name */
  async entry(dn: string, { objectClass, attributes, harmless }: Wanted): Promise<Found | null> {
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
      if (code === INVALID_DN) await this.#canBeNamed(client, harmless);
      // A name that cannot be one is nobody's.
      if (code === NO_SUCH_OBJECT || code === INVALID_DN) return null;
      throw err;
    }
  }

  /** Nobody's name is at fault where no name could be right: the settings are. @throws BackendError */
  async #canBeNamed(client: Client, dn: string): Promise<void> {
    try {
      await client.search(dn, { scope: "base", attributes: ["1.1"] });
    } catch (err) {
      if (codeOf(err) === INVALID_DN)
        throw new BackendError("refused", `no entry can be named like ${dn}: ${ldapWords(err)}; see ${NAMING}`);
      if (codeOf(err) !== NO_SUCH_OBJECT) throw err;
    }
  }

  /**
   * Why the server does not take this password for this name, in its words; null = it does. On a connection of its own. `password`: never empty,
   * which many servers take for nobody's.
   */
  async refusal(dn: string, password: Uint8Array): Promise<string | null> {
    const { client, answer } = await this.#linked((client) => refusalOf(client.bind(dn, Buffer.from(password).toString("utf8"))));
    await left(client);
    return answer;
  }

  /** The root of all: every server shows it. */
  async probe(): Promise<void> {
    const client = await this.#links.ready();
    await client.search("", { scope: "base", attributes: ["1.1"] });
  }

  lost(): boolean {
    return this.#links.lost();
  }

  close(): void {
    this.#links.close();
  }

  /** Connected with the first host that answers in its part of the time; `answer`: what came of `bind` there. */
  async #linked<T>(bind: (client: Client) => Promise<T>): Promise<{ client: Client; answer: T }> {
    const part = partOf(this.o.timeoutMs, this.o.hosts.length);
    let why: unknown = new Error("no server");
    for (const host of this.hosts.all) {
      const client = this.#client(host, part);
      try {
        const answer = await within(part, host, this.#introduced(client, host, bind));
        this.hosts.answered(host);
        return { client, answer };
      } catch (err) {
        void left(client);
        why = err;
        // Whoever answers has the last word.
        if (codeOf(err) !== null || err instanceof BackendError) {
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

  async #introduced<T>(client: Client, host: string, bind: (client: Client) => Promise<T>): Promise<T> {
    const { tls } = this.o;
    if (tls?.start === "starttls") await client.startTLS(nodeTlsOptions(tls.options, host));
    return bind(client);
  }
}

/** Whoever does not answer by then is left: somebody else may. */
async function within<T>(ms: number, host: string, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${host} does not answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What the server says of one user's bind is said of that user, whatever the code: servers have several for a wrong password, an entry without
 * one (48), one that is locked (19) or switched off (53). null = it takes it. @throws BackendError when it says that it cannot look
 */
async function refusalOf(bind: Promise<void>): Promise<string | null> {
  try {
    await bind;
    return null;
  } catch (err) {
    const code = codeOf(err);
    if (code === null) throw err;
    if (NOT_LOOKED.has(code)) throw new BackendError("refused", ldapWords(err));
    return ldapWords(err);
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
const AWAY = new Set([8, 13, 48, INVALID_CREDENTIALS, BUSY, UNAVAILABLE]);

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
