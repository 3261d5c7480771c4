/** The callbacks of the scripts, hung on the broker's hooks: only where there is a script that has one. */
import type { HookPoint, SubscribeTopic } from "../../core/hooks.ts";
import type { Message } from "../../core/message.ts";
import type { AclStep, Action, AuthStep, ClientInfo, Credentials } from "../../core/types.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { parseSharedFilter } from "../../mqtt/topic.ts";
import type { PluginContext, VerdictCounts } from "../plugin.ts";
import { CALLBACKS, type CallbackName, numberOf } from "./callbacks.ts";
import { filterOf, isWrong, messageOf, type Wrong, wordOf } from "./results.ts";
import type { Script } from "./script.ts";
import type { Value } from "./values.ts";

const DOLLAR = 36;
const begins = (topic: string): boolean => topic.charCodeAt(0) === DOLLAR;

const N = Object.fromEntries(CALLBACKS.map((c) => [c.name, numberOf(c.name)])) as Record<CallbackName, number>;

type Context = Pick<PluginContext, "hook" | "broker">;

export class ScriptHooks {
  readonly authentication: VerdictCounts = { allowed: 0, denied: 0, ignored: 0, errors: 0 };
  readonly acl: VerdictCounts = { allowed: 0, denied: 0, ignored: 0, errors: 0 };
  /** By number of the callback. */
  #having: Script[][] = CALLBACKS.map(() => []);
  readonly #hung = new Map<CallbackName, () => void>();

  constructor(private readonly ctx: Context) {}

  /** Other scripts run, or other versions of them. */
  refresh(scripts: readonly Script[]): void {
    const before = this.#having;
    this.#having = CALLBACKS.map(({ name }) => scripts.filter((s) => s.active && s.callbacks.includes(name)));
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
        return ctx.hook("client.authenticate", (client, credentials) => this.#authenticate(client, credentials));
      case "on_client_check_acl":
        return ctx.hook("client.check_acl", (client, action, topic) => this.#checkAcl(client, action, topic));
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
   * What a script answers, read; null = nothing that counts: it failed, it is being started again, or a script of JavaScript returned nothing, which
   * means that it leaves everything as it is.
   */
  #ask<T>(
    script: Script,
    name: CallbackName,
    args: readonly Value[],
    read: (values: Value[]) => T | Wrong,
  ): { is: T } | "nothing" | "failed" {
    const values = script.ask(N[name], args);
    if (values === null) return "failed";
    if (values.length === 0 && script.language !== "lua") return "nothing";
    const is = read(values);
    if (!isWrong(is)) return { is };
    script.badResult(name, is.wrong);
    return "failed";
  }

  #authenticate(client: ClientInfo, { password }: Credentials): AuthStep {
    const name = "on_client_authenticate";
    const args = [client.clientId, client.username, client.ip, password];
    for (const script of this.#having[N[name]] as Script[]) {
      const answer = this.#ask(script, name, args, (v) => wordOf(v, ["ok", "ignore", "deny"]));
      if (answer === "failed") this.authentication.errors++;
      else if (answer === "nothing" || answer.is === "ignore") continue;
      else if (answer.is === "ok") {
        this.authentication.allowed++;
        return { allow: true, why: `the script ${script.name} says ok` };
      } else {
        this.authentication.denied++;
        return { allow: false, code: RC.NOT_AUTHORIZED, why: `the script ${script.name} says deny` };
      }
    }
    this.authentication.ignored++;
    return null;
  }

  #checkAcl(client: ClientInfo, action: Action, topic: string): AclStep {
    const name = "on_client_check_acl";
    // The password is not kept behind the log-in.
    const args = [client.clientId, client.username, client.ip, null, action, topic];
    let failed = false;
    for (const script of this.#having[N[name]] as Script[]) {
      const answer = this.#ask(script, name, args, (v) => wordOf(v, ["allow", "deny", "ignore"]));
      if (answer === "failed") {
        failed = true;
        this.acl.errors++;
      } else if (answer === "nothing" || answer.is === "ignore") continue;
      else {
        this.acl[answer.is === "allow" ? "allowed" : "denied"]++;
        return { verdict: answer.is, why: `the script ${script.name} says ${answer.is}` };
      }
    }
    this.acl.ignored++;
    // Passed on, as in EMQ X 3.1; what comes of it is not kept.
    return failed ? { verdict: null, why: "a script failed", failed: true } : null;
  }

  #publish(message: Message): Message | null {
    if (begins(message.topic)) return message;
    const name = "on_message_publish";
    let m = message;
    for (const script of this.#having[N[name]] as Script[]) {
      const args = [m.from, m.username ?? (m.from === "" ? "" : null), m.topic, m.payload, m.qos, m.retain];
      const now = m;
      const answer = this.#ask(script, name, args, (v) => messageOf(v, now));
      if (typeof answer === "string") continue;
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
      if (typeof answer === "string") continue;
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
