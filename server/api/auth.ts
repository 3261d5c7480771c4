/** Who is asking: Basic credentials of applications (8080) and of dashboard users (18083). No cookies, no tokens, no sessions. */
import { CODE } from "../admin/codes.ts";
import { type Admin, AdminError } from "../admin/index.ts";
import { failure, ok, text, unauthorized } from "./reply.ts";
import type { Caller, Kind } from "./route.ts";

/** Failures from one address before its further guesses are refused, and for how long they count. */
const FAILURES_MAX = 20;
const WINDOW_MS = 60_000;
/** Addresses watched; the oldest is forgotten first. */
const ADDRESSES_MAX = 10_000;
/** Credentials remembered, right or wrong. */
const KEPT_MAX = 1000;

const DEFAULT_PASSWORD =
  "The default password still stands: it is accepted from this machine alone. Log in there (http://127.0.0.1:18083) and change it, or set one at the command line (ctl admins passwd).";

interface Watch {
  failures: number;
  since: number;
}

/** Counts failed logins by address. */
export class LoginGuard {
  readonly #watched = new Map<string, Watch>();

  constructor(private readonly now: () => number) {}

  /** Seconds to wait; 0 = may try. */
  wait(address: string): number {
    const w = this.#watched.get(address);
    if (!w || w.failures < FAILURES_MAX) return 0;
    const left = w.since + WINDOW_MS - this.now();
    if (left > 0) return Math.ceil(left / 1000);
    this.#watched.delete(address);
    return 0;
  }

  failed(address: string): void {
    const now = this.now();
    let w = this.#watched.get(address);
    if (!w || w.since + WINDOW_MS <= now) {
      w = { failures: 0, since: now };
      this.#watched.delete(address);
      this.#watched.set(address, w);
      const oldest = this.#watched.keys().next().value;
      if (this.#watched.size > ADDRESSES_MAX && oldest !== undefined) this.#watched.delete(oldest);
    }
    w.failures++;
  }

  succeeded(address: string): void {
    this.#watched.delete(address);
  }
}

interface Basic {
  name: string;
  secret: string;
}

/** null = no Basic credentials. Any spelling of `Basic`. */
export function parseBasic(header: string | null): Basic | null {
  const encoded = header === null ? null : /^basic +([A-Za-z0-9+/_-]+={0,2})\s*$/i.exec(header);
  if (!encoded?.[1]) return null;
  try {
    const binary = atob(encoded[1].replaceAll("-", "+").replaceAll("_", "/"));
    const pair = new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)));
    const colon = pair.indexOf(":");
    return colon < 0 ? null : { name: pair.slice(0, colon), secret: pair.slice(colon + 1) };
  } catch {
    return null;
  }
}

/** This machine itself, and no proxy on it that speaks for others. */
export function isLocal(address: string, headers: Headers): boolean {
  if (headers.has("x-forwarded-for") || headers.has("forwarded") || headers.has("x-real-ip")) return false;
  return address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.");
}

export interface Peer {
  /** Asked for only when it matters. */
  address(): string;
  readonly headers: Headers;
}
/** The caller, or the answer that refuses it. */
export type Verdict = Caller | Response;

export function createAuth(admin: Admin) {
  const { apps, users, system } = admin;
  const guards = { app: new LoginGuard(admin.now), user: new LoginGuard(admin.now) };
  /** Credentials that were right, by the keyed digest of their header: no parsing and no password hash for them. */
  const right = { app: new Map<string, Basic>(), user: new Map<string, Basic>() };
  /** Digests of user credentials that were wrong: sent again, they cost nothing and count once. */
  let wrong = new Set<string>();
  let generation = -1;

  /** Users or passwords have changed: what was found out before may be wrong. */
  function refresh(): void {
    if (generation === users.generation()) return;
    generation = users.generation();
    wrong = new Set();
    right.user.clear();
  }

  function remember(kind: "app" | "user", key: string, basic: Basic): void {
    if (right[kind].size >= KEPT_MAX) right[kind].clear();
    right[kind].set(key, basic);
  }

  function app(key: string, header: string, peer: Peer): Verdict {
    const known = right.app.get(key);
    if (known && apps.stillValid(known.name, known.secret)) return { kind: "app", name: known.name };
    right.app.delete(key);
    const basic = parseBasic(header);
    if (!basic) return unauthorized();
    const wait = guards.app.wait(peer.address());
    if (wait > 0) return unauthorized(wait);
    if (apps.check(basic.name, basic.secret)) {
      remember("app", key, basic);
      return { kind: "app", name: basic.name };
    }
    // An application that was switched off is no guess.
    if (!known) guards.app.failed(peer.address());
    return unauthorized();
  }

  /** Everybody knows that password: it counts on this machine alone. */
  function allowed(name: string, peer: Peer): Verdict {
    if (users.mustChange(name) && !isLocal(peer.address(), peer.headers)) return text(DEFAULT_PASSWORD, 403);
    return { kind: "user", name };
  }

  type Tried = { result: "ok" | "wrong_password" | "unknown_user" } | { wait: number };

  async function tryUser(basic: Basic, peer: Peer): Promise<Tried> {
    refresh();
    const key = system.digest(`${basic.name}\0${basic.secret}`);
    if (wrong.has(key)) return { result: users.exists(basic.name) ? "wrong_password" : "unknown_user" };
    const wait = guards.user.wait(peer.address());
    if (wait > 0) return { wait };
    const result = await users.login(basic.name, basic.secret);
    if (result === "ok") {
      guards.user.succeeded(peer.address());
      return { result };
    }
    guards.user.failed(peer.address());
    refresh();
    if (wrong.size >= KEPT_MAX) wrong.clear();
    wrong.add(key);
    return { result };
  }

  async function user(key: string, header: string, peer: Peer): Promise<Verdict> {
    const basic = parseBasic(header);
    if (!basic) return unauthorized();
    const tried = await tryUser(basic, peer);
    if ("wait" in tried) return unauthorized(tried.wait);
    if (tried.result !== "ok") return unauthorized();
    // Not when something has changed meanwhile: the next request asks again.
    if (generation === users.generation()) remember("user", key, basic);
    return allowed(basic.name, peer);
  }

  return {
    check(kind: Kind, peer: Peer): Verdict | Promise<Verdict> {
      if (kind === "ctl") return { kind: "ctl", name: "ctl" };
      const header = peer.headers.get("authorization");
      if (header === null) return unauthorized();
      const key = system.digest(header);
      if (kind === "management") return app(key, header, peer);
      refresh();
      const known = right.user.get(key);
      return known ? allowed(known.name, peer) : user(key, header, peer);
    },

    /** `POST /auth`. @throws AdminError 103, 104, 108 */
    async login(username: unknown, password: unknown, peer: Peer): Promise<Response> {
      if (username === undefined || username === null) throw new AdminError(CODE.EMPTY_CREDENTIALS, "Username undefined");
      if (password === undefined || password === null) throw new AdminError(CODE.EMPTY_CREDENTIALS, "Password undefined");
      if (typeof username !== "string" || typeof password !== "string")
        throw new AdminError(CODE.BAD_PARAMETER, "user name and password must be strings");
      const tried = await tryUser({ name: username, secret: password }, peer);
      if ("wait" in tried) return unauthorized(tried.wait);
      if (tried.result === "unknown_user") return failure(CODE.WRONG_CREDENTIALS, "Username Not Found");
      if (tried.result === "wrong_password") return failure(CODE.WRONG_CREDENTIALS, "Password Error");
      const verdict = allowed(username, peer);
      return verdict instanceof Response ? verdict : ok();
    },
  };
}
