/** Where the web hook hangs on the core: on the points that a rule is for, and on no other. */
import type { Message } from "../../core/message.ts";
import type { PluginContext } from "../plugin.ts";
import { type Bodies, type Body, topicOf } from "./bodies.ts";
import { type HookName, matching, type Rules, type WebHookRule, wantsSys } from "./rules.ts";

/** Behind all publish hooks that change or stop a message: the service is told of what they have made of it, as rules are, which look at it later still (-1000). */
const PRIORITY = -100;

/** `key`: what concerns one client is told in order. `count`: so many rules ask for it. */
export type Tell = (hook: HookName, key: string, subject: string, count: number, body: Body) => void;
type Context = Pick<PluginContext, "hook" | "clock"> & { readonly broker: Pick<PluginContext["broker"], "session"> };

/** Returns what takes it back. */
export function hang(ctx: Context, rules: Rules, bodies: Bodies, tell: Tell): () => void {
  const { clock, broker } = ctx;
  const nameOf = (clientId: string): string | null => broker.session(clientId)?.username ?? null;
  const all = (key: string, list: readonly WebHookRule[], hook: HookName, body: () => Body): void => {
    if (list.length > 0) tell(hook, key, key, list.length, body());
  };
  const about = (hook: HookName, key: string, topic: string, list: readonly WebHookRule[], body: () => Body): void => {
    const count = matching(list, topic);
    if (count > 0) tell(hook, key, topic, count, body());
  };
  const points: { readonly [H in HookName]: (list: readonly WebHookRule[]) => () => void } = {
    "client.connected": (list) =>
      ctx.hook("client.connected", (client, code) => {
        if (code === 0) all(client.clientId, list, "client.connected", () => bodies.clientConnected(client, clock.now()));
      }),
    "client.disconnected": (list) =>
      ctx.hook("client.disconnected", (client, reason) =>
        all(client.clientId, list, "client.disconnected", () => bodies.clientDisconnected(client, reason)),
      ),
    "client.subscribe": (list) =>
      ctx.hook("client.subscribe", (client, topics) => {
        for (const { filter, options } of topics)
          about("client.subscribe", client.clientId, topicOf(filter), list, () => bodies.clientSubscribe(client, filter, options));
      }),
    "client.unsubscribe": (list) =>
      ctx.hook("client.unsubscribe", (client, filters) => {
        // Not there: another hook took it out.
        for (const filter of filters)
          if (filter !== undefined)
            about("client.unsubscribe", client.clientId, topicOf(filter), list, () => bodies.clientUnsubscribe(client, filter));
      }),
    "session.created": (list) =>
      ctx.hook("session.created", (clientId) =>
        all(clientId, list, "session.created", () => bodies.sessionCreated(clientId, nameOf(clientId))),
      ),
    "session.subscribed": (list) =>
      ctx.hook("session.subscribed", (clientId, filter, options, isNew) =>
        about("session.subscribed", clientId, topicOf(filter), list, () => bodies.sessionSubscribed(clientId, filter, options, isNew)),
      ),
    "session.unsubscribed": (list) =>
      ctx.hook("session.unsubscribed", (clientId, filter) =>
        about("session.unsubscribed", clientId, topicOf(filter), list, () => bodies.sessionUnsubscribed(clientId, filter)),
      ),
    "session.terminated": (list) =>
      ctx.hook("session.terminated", (clientId, reason) =>
        all(clientId, list, "session.terminated", () => bodies.sessionTerminated(clientId, reason)),
      ),
    "message.publish": (list) =>
      ctx.hook(
        "message.publish",
        (m) => {
          about("message.publish", m.from, m.topic, list, () => bodies.messagePublish(m));
          return m;
        },
        { priority: PRIORITY, topic: (topic) => matching(list, topic) > 0, sys: wantsSys(list) },
      ),
    "message.deliver": (list) =>
      ctx.hook("message.delivered", (clientId, m: Message) =>
        about("message.deliver", clientId, m.topic, list, () => bodies.messageDeliver(clientId, nameOf(clientId), m)),
      ),
    "message.acked": (list) =>
      ctx.hook("message.acked", (clientId, m: Message) =>
        about("message.acked", clientId, m.topic, list, () => bodies.messageAcked(clientId, m)),
      ),
  };
  const undo = [...rules].map(([hook, list]) => points[hook](list));
  return () => {
    for (const back of undo) back();
  };
}
