/** Who is asking: Basic credentials of applications (8080) and of dashboard users (18083). No cookies, no tokens, no sessions. */
import { CODE } from "../admin/codes.ts";
import { type Admin, AdminError } from "../admin/index.ts";
import { parseHost } from "../lib/origin.ts";
import { QueueFull } from "../lib/work_queue.ts";
import { mayChallenge } from "./front.ts";
import { LoginGuard } from "./login_guard.ts";
import type { Peer } from "./peer.ts";
import { busy, failure, ok, text, unauthorized } from "./reply.ts";
import type { Caller, Kind } from "./route.ts";

/** Credentials remembered, right or wrong. */
const KEPT_MAX = 1000;

/** `port`: the one they came to, as they know it; "" = not said. */
const defaultPassword = (port: string): string =>
  `The default password still stands, or none is set: it is accepted from this machine alone. Log in there (127.0.0.1${port === "" ? "" : `:${port}`}) and change it, or set one at the command line (ctl admins passwd).`;

const BUSY = "Busy: too many passwords are being checked, try again in a second";

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

/** The caller, or the answer that refuses it. */
export type Verdict = Caller | Response;

type LoginResult = "ok" | "wrong_password" | "unknown_user";
type Tried = { result: LoginResult } | { wait: number } | "busy";

const refused = (peer: Peer, waitSeconds = 0): Response => unauthorized(mayChallenge(peer.headers), waitSeconds);

/** `now` in ms, of a clock that nobody sets. */
export function createAuth(admin: Pick<Admin, "apps" | "users" | "system">, now: () => number) {
  const { apps, users, system } = admin;
  const guards = { app: new LoginGuard(now), user: new LoginGuard(now) };
  /** Credentials that were right, by the keyed digest of their header: no parsing and no password hash for them. */
  const right = { app: new Map<string, Basic>(), user: new Map<string, Basic>() };
  /** Digests of credentials that were wrong: sent again, they tell nothing new and do not count. */
  const wrong = { app: new Set<string>(), user: new Set<string>() };
  /** What is being looked at: the same credentials at the same time are one question. */
  const asked = new Map<string, Promise<Tried>>();
  let generation = -1;

  /** Users or passwords have changed: what was found out before may be wrong. */
  function refresh(): void {
    if (generation === users.generation()) return;
    generation = users.generation();
    wrong.user.clear();
    right.user.clear();
    asked.clear();
  }

  function remember(kind: "app" | "user", key: string, basic: Basic): void {
    if (right[kind].size >= KEPT_MAX) right[kind].clear();
    right[kind].set(key, basic);
  }

  function rememberWrong(kind: "app" | "user", key: string): void {
    if (wrong[kind].size >= KEPT_MAX) wrong[kind].clear();
    wrong[kind].add(key);
  }

  function app(key: string, header: string, peer: Peer): Verdict {
    const known = right.app.get(key);
    if (known && apps.stillValid(known.name, known.secret)) return { kind: "app", name: known.name };
    const basic = known ?? parseBasic(header);
    if (!basic) return refused(peer);
    // An application that was switched off is no guess, and what was wrong once is no further one.
    const counts = known === undefined && !wrong.app.has(key);
    const wait = counts ? guards.app.guess(peer.address()) : 0;
    if (wait > 0) return refused(peer, wait);
    if (!apps.check(basic.name, basic.secret)) {
      if (counts) rememberWrong("app", key);
      return refused(peer);
    }
    if (counts) guards.app.takeBack(peer.address());
    wrong.app.delete(key);
    remember("app", key, basic);
    return { kind: "app", name: basic.name };
  }

  /** Everybody knows that password: it counts on this machine alone. */
  function allowed(name: string, peer: Peer): Verdict {
    if (users.mustChange(name) && !peer.isLocal()) return text(defaultPassword(parseHost(peer.headers.get("host"))?.port ?? ""), 403);
    return { kind: "user", name };
  }

  function tryUser(basic: Basic, peer: Peer): Promise<Tried> {
    refresh();
    const key = system.digest(`${basic.name}\0${basic.secret}`);
    if (wrong.user.has(key)) return Promise.resolve({ result: users.exists(basic.name) ? "wrong_password" : "unknown_user" });
    let question = asked.get(key);
    if (question === undefined) {
      const wait = guards.user.guess(peer.address());
      if (wait > 0) return Promise.resolve({ wait });
      question = evaluate(key, basic, peer).finally(() => {
        if (asked.get(key) === question) asked.delete(key);
      });
      asked.set(key, question);
    }
    return question;
  }

  async function evaluate(key: string, basic: Basic, peer: Peer): Promise<Tried> {
    const before = generation;
    try {
      const result = await users.login(basic.name, basic.secret);
      if (result === "ok") guards.user.takeBack(peer.address());
      // Not when something has changed meanwhile: the next request asks again.
      else if (before === users.generation()) rememberWrong("user", key);
      return { result };
    } catch (err) {
      guards.user.takeBack(peer.address());
      if (err instanceof QueueFull) return "busy";
      throw err;
    }
  }

  async function user(key: string, header: string, peer: Peer): Promise<Verdict> {
    const basic = parseBasic(header);
    if (!basic) return refused(peer);
    const before = users.generation();
    const tried = await tryUser(basic, peer);
    if (tried === "busy") return busy(BUSY);
    if ("wait" in tried) return refused(peer, tried.wait);
    if (tried.result !== "ok") return refused(peer);
    if (before === users.generation()) remember("user", key, basic);
    return allowed(basic.name, peer);
  }

  return {
    check(kind: Kind, peer: Peer): Verdict | Promise<Verdict> {
      if (kind === "ctl") return { kind: "ctl", name: "ctl" };
      const header = peer.headers.get("authorization");
      if (header === null) return refused(peer);
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
      if (tried === "busy") return busy(BUSY);
      if ("wait" in tried) return refused(peer, tried.wait);
      if (tried.result === "unknown_user") return failure(CODE.WRONG_CREDENTIALS, "Username Not Found");
      if (tried.result === "wrong_password") return failure(CODE.WRONG_CREDENTIALS, "Password Error");
      const verdict = allowed(username, peer);
      return verdict instanceof Response ? verdict : ok();
    },
  };
}
