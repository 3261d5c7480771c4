/** The callbacks of the scripts, hung on the broker's hooks: only where there is a script that has one. */
import { sayWhy } from "../../core/access/trace.ts";
import type { HookPoint, SubscribeTopic } from "../../core/hooks.ts";
import type { Message } from "../../core/message.ts";
import type { AclStep, Action, AuthStep, ClientInfo, Credentials } from "../../core/types.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { parseSharedFilter } from "../../mqtt/topic.ts";
import { isOnlyExplained } from "../_auth/asking.ts";
import type { PluginContext, VerdictCounts } from "../plugin.ts";
import { ACCESS, type AccessName, CALLBACKS, type CallbackName, numberOf } from "./callbacks.ts";
import { filterOf, isWrong, messageOf, type Wrong, wordOf } from "./results.ts";
import type { Script } from "./script.ts";
import type { OnFailure } from "./telling.ts";
import type { Value } from "./values.ts";

const DOLLAR = 36;
const begins = (topic: string): boolean => topic.charCodeAt(0) === DOLLAR;

const N = Object.fromEntries(CALLBACKS.map((c) => [c.name, numberOf(c.name)])) as Record<CallbackName, number>;

type Context = Pick<PluginContext, "hook" | "broker">;

/** What a script answers, read. "nothing" = it has no opinion. */
type Said<T> = { is: T } | { failed: string } | "nothing";

/** What the scripts say together. `failed`: one of them gave no answer that might give one the next time. */
interface Verdict<W extends string> {
  /** null = none of them decides; "none" = one that counts gave no answer. */
  says: W | "none" | null;
  /** "" = there is nothing to tell. */
  why: string;
  failed: boolean;
}

const noVerdicts = (): VerdictCounts => ({ allowed: 0, denied: 0, ignored: 0, errors: 0 });
const isAboutAccess = (name: CallbackName): boolean => (ACCESS as readonly CallbackName[]).includes(name);
const isOpinion = <W extends string>(word: W): word is Exclude<W, "ignore"> => word !== "ignore";

export class ScriptHooks {
  readonly authentication = noVerdicts();
  readonly acl = noVerdicts();
  /** By number of the callback. */
  #having: Script[][] = CALLBACKS.map(() => []);
  readonly #hung = new Map<CallbackName, () => void>();

  constructor(
    private readonly ctx: Context,
    private readonly onFailure: () => OnFailure,
  ) {}

  /** Other scripts run, or other versions of them, or `onFailure` is another. */
  refresh(scripts: readonly Script[]): void {
    const before = this.#having;
    const has = (s: Script, name: CallbackName): boolean => {
      const names: readonly CallbackName[] = s.active ? s.callbacks : s.owed;
      return names.includes(name);
    };
    this.#having = CALLBACKS.map(({ name }) => scripts.filter((s) => has(s, name)));
    for (const { name } of CALLBACKS) {
      const wanted = (this.#having[N[name]] as Script[]).length > 0;
      const cancel = this.#hung.get(name);
      if (wanted && cancel === undefined) this.#hung.set(name, this.#hang(name));
      else if (!wanted && cancel !== undefined) {
        cancel();
        this.#hung.delete(name);
      }
    }
    const asked = N.on_client_check_acl;
    // A version that is new judges anew.
    if ((before[asked] as Script[]).length + (this.#having[asked] as Script[]).length > 0) this.ctx.broker.aclChanged();
  }

  /** null = no script has the callback. */
  asked(name: CallbackName, counts: VerdictCounts): VerdictCounts | null {
    return this.#hung.has(name) ? counts : null;
  }

  #hang(name: CallbackName): () => void {
    const { ctx } = this;
    switch (name) {
      case "on_client_authenticate":
        return ctx.hook("client.authenticate", (client, credentials) => this.#once(name, () => this.#authenticate(client, credentials)));
      case "on_client_check_acl":
        return ctx.hook("client.check_acl", (client, action, topic) => this.#once(name, () => this.#checkAcl(client, action, topic)));
      case "on_client_connected":
        return ctx.hook("client.connected", (client, code) => this.#tell(name, [client.clientId, client.username, code]));
      case "on_client_disconnected":
        return ctx.hook("client.disconnected", (client, reason) => this.#tell(name, [client.clientId, client.username, reason]));
      case "on_client_subscribe":
        return ctx.hook("client.subscribe", (client, topics) => this.#subscribe(client, topics));
      case "on_client_unsubscribe":
        return ctx.hook("client.unsubscribe", (client, filters) => this.#unsubscribe(client, filters));
      case "on_session_subscribed":
        return this.#hangSession("session.subscribed", name);
      case "on_session_unsubscribed":
        return this.#hangSession("session.unsubscribed", name);
      case "on_message_publish":
        return ctx.hook("message.publish", (m) => this.#publish(m));
      case "on_message_deliver":
        return this.#hangMessage("message.delivered", name);
      case "on_message_acked":
        return this.#hangMessage("message.acked", name);
    }
  }

  #hangSession(point: "session.subscribed" | "session.unsubscribed", name: CallbackName): () => void {
    return this.ctx.hook(point, (clientId: string, filter: string) => {
      const bare = parseSharedFilter(filter)?.filter ?? filter;
      if (!begins(bare)) this.#tell(name, [clientId, this.#usernameOf(clientId), bare]);
    });
  }

  #hangMessage(point: HookPoint & ("message.delivered" | "message.acked"), name: CallbackName): () => void {
    return this.ctx.hook(point, (clientId: string, m: Message) => {
      if (begins(m.topic)) return;
      this.#tell(name, [clientId, this.#usernameOf(clientId), m.topic, m.payload, m.qos, m.retain]);
    });
  }

  #usernameOf(clientId: string): string | null {
    return this.ctx.broker.session(clientId)?.username ?? null;
  }

  #tell(name: CallbackName, args: readonly Value[]): void {
    for (const script of this.#having[N[name]] as Script[]) script.tell(N[name], args);
  }

  /**
   * JavaScript that returns nothing leaves everything as it is. So does Lua, and whoever returns nil, where it is asked about access: EMQ X 3.1 passed
   * on, and a function that speaks of some clients only ends so.
   */
  #ask<T>(script: Script, name: CallbackName, args: readonly Value[], read: (values: Value[]) => T | Wrong): Said<T> {
    const values = script.ask(N[name], args);
    if (typeof values === "string") return { failed: values };
    if (isAboutAccess(name) ? values.every((v) => v === null) : values.length === 0 && script.language !== "lua") return "nothing";
    const is = read(values);
    if (!isWrong(is)) return { is };
    script.badResult(name, is.wrong);
    return { failed: is.wrong };
  }

  /** Nobody is refused because a worker is just being started again: he waits for it. */
  #once<T>(name: AccessName, decide: () => T): T | Promise<T> {
    const coming = (this.#having[N[name]] as Script[]).flatMap((script) => script.coming ?? []);
    return coming.length === 0 ? decide() : Promise.all(coming).then(() => this.#once(name, decide));
  }

  /** The first one that decides. */
  #decide<W extends string>(
    name: AccessName,
    args: readonly Value[],
    words: readonly W[],
    errors: () => void,
  ): Verdict<Exclude<W, "ignore">> {
    const notes: string[] = [];
    let failed = false;
    for (const script of this.#having[N[name]] as Script[]) {
      // A call may stop it.
      const mayAnswer = script.active;
      const answer = this.#ask(script, name, args, (v) => wordOf(v, words));
      if (answer === "nothing") continue;
      if ("is" in answer) {
        const { is } = answer;
        if (isOpinion(is)) return { says: is, why: [...notes, `the script ${script.name} says ${is}`].join("; "), failed };
        continue;
      }
      errors();
      const note = `the script ${script.name} gives no answer: ${answer.failed}`;
      if (this.onFailure() === "deny")
        return { says: "none", why: [...notes, `${note}, which refuses (lua_hook.on_failure = deny)`].join("; "), failed: true };
      notes.push(`${note}, so the next one is asked (lua_hook.on_failure = ignore)`);
      failed ||= mayAnswer;
    }
    return { says: null, why: notes.join("; "), failed };
  }

  #authenticate(client: ClientInfo, { password }: Credentials): AuthStep {
    const counts = isOnlyExplained(client) ? noVerdicts() : this.authentication;
    const args = [client.clientId, client.username, client.ip, password];
    const { says, why } = this.#decide("on_client_authenticate", args, ["ok", "ignore", "deny"], () => counts.errors++);
    switch (says) {
      case "ok":
        counts.allowed++;
        return { allow: true, why };
      case "deny":
        counts.denied++;
        return { allow: false, code: RC.NOT_AUTHORIZED, why };
      case "none":
        return { allow: false, code: RC.SERVER_UNAVAILABLE, why, failed: true };
      case null:
        counts.ignored++;
        if (why !== "") sayWhy(client, () => why);
        return null;
    }
  }

  #checkAcl(client: ClientInfo, action: Action, topic: string): AclStep {
    const counts = isOnlyExplained(client) ? noVerdicts() : this.acl;
    // The password is not kept behind the log-in.
    const args = [client.clientId, client.username, client.ip, null, action, topic];
    const { says, why, failed } = this.#decide("on_client_check_acl", args, ["allow", "deny", "ignore"], () => counts.errors++);
    if (says === "none") return { verdict: "deny", why, failed: true };
    if (says !== null) {
      counts[says === "allow" ? "allowed" : "denied"]++;
      // What came about by a failure is kept for a moment only.
      return failed ? { verdict: says, why, failed } : { verdict: says, why };
    }
    counts.ignored++;
    if (failed) return { verdict: null, why, failed };
    if (why !== "") sayWhy(client, () => why);
    return null;
  }

  #publish(message: Message): Message | null {
    if (begins(message.topic)) return message;
    const name = "on_message_publish";
    let m = message;
    for (const script of this.#having[N[name]] as Script[]) {
      const args = [m.from, m.username ?? (m.from === "" ? "" : null), m.topic, m.payload, m.qos, m.retain];
      const now = m;
      const answer = this.#ask(script, name, args, (v) => messageOf(v, now));
      if (answer === "nothing" || "failed" in answer) continue;
      if (answer.is === null) return null;
      m = answer.is;
    }
    return m;
  }

  /** What the scripts make of a filter; false = it is taken out. */
  #rename(name: "on_client_subscribe" | "on_client_unsubscribe", client: ClientInfo, filter: string): string | false {
    let whole = filter;
    for (const script of this.#having[N[name]] as Script[]) {
      const parsed = parseSharedFilter(whole);
      if (parsed === null || begins(parsed.filter)) return whole;
      const bare = parsed.filter;
      const prefix = whole.slice(0, whole.length - bare.length);
      const answer = this.#ask(script, name, [client.clientId, client.username, bare], (v) => {
        const made = filterOf(v);
        if (made === false || isWrong(made)) return made;
        return parseSharedFilter(prefix + made) === null ? { wrong: "bad result: expected a valid topic filter" } : prefix + made;
      });
      if (answer === "nothing" || "failed" in answer) continue;
      if (answer.is === false) return false;
      whole = answer.is;
    }
    return whole;
  }

  #subscribe(client: ClientInfo, topics: SubscribeTopic[]): void {
    const kept = topics.filter((t) => {
      const made = this.#rename("on_client_subscribe", client, t.filter);
      if (made !== false) t.filter = made;
      return made !== false;
    });
    topics.splice(0, topics.length, ...kept);
  }

  #unsubscribe(client: ClientInfo, filters: string[]): void {
    for (const [i, filter] of filters.entries()) {
      const made = this.#rename("on_client_unsubscribe", client, filter);
      // Its place stays: the answer has a code for each.
      if (made === false) delete filters[i];
      else filters[i] = made;
    }
  }
}
