/**
 * Logs every hook: an example to start from, and a help when something has to be traced.
 *
 * A plugin of your own needs none of our files. Put a .ts, .js or .mjs file into the directory `plugins.expand_plugins_dir`, its
 * default export a manifest with the fields below, configuration keys as plain data:
 *
 *   export default {
 *     name: "my_plugin",                       // shown in the list; load and unload by this name
 *     description: "Says who comes and goes",
 *     version: "v1.0.0",
 *     activeByDefault: true,                   // run at the first start; later the last load or unload counts
 *     config: {
 *       // types: text secret flag integer number bytes duration percent address list enum (with `choices`)
 *       "my_plugin.greeting": { type: "text", default: "hello", doc: "What it says." },
 *     },
 *     liveKeys: ["my_plugin.greeting"],        // may be set by PUT /api/v3/configs/my_plugin while it runs
 *     start(ctx) {
 *       ctx.hook("client.connected", (client) => ctx.log.info(ctx.config["my_plugin.greeting"], { clientid: client.clientId }));
 *       const cancel = ctx.every(60_000, () => ctx.log.info("still here"));
 *       ctx.closing(() => {});                 // hooks and timers are taken back without your doing
 *     },
 *   };
 *
 * What `ctx` offers is described in ../plugin.ts, the hook points and their arguments in ../../core/hooks.ts. Mind what a hook costs:
 * a `message.publish` handler without a filter ({ prefix } or { retained: true }) and a `message.delivered` handler make the broker
 * look at every single message, which it otherwise forwards as it came. `plugins reload` imports the file while the former one runs: what can be
 * there only once, such as a port, is opened by `start`. Import modules of your own at the top of the file: one that `start` imports may be newer than the
 * file, which is started again as it was where the new one cannot be used. Whoever hangs on `client.authenticate` or `client.check_acl`, if only to look on,
 * is in the way of everybody from its stop until its `start` is through.
 */
import type { HookPoint } from "../../core/hooks.ts";
import type { Message } from "../../core/message.ts";
import type { ClientInfo } from "../../core/types.ts";
import { loggedName, loggedTopic } from "../../lib/mask.ts";
import { definePlugin } from "../plugin.ts";

export const pluginTemplate = definePlugin({
  name: "emqx_plugin_template",
  description: "EMQ X Plugin Template",
  version: "v3.1.0",
  activeByDefault: false,
  config: {},
  start(ctx) {
    const say = (hook: HookPoint, fields: Record<string, unknown>): void => ctx.log.info(hook, withoutTokens(fields));

    // Two folds: the first answer that is not null decides, so an onlooker answers null. They may return a promise.
    ctx.hook("client.authenticate", (client) => {
      say("client.authenticate", about(client));
      return null;
    });
    ctx.hook("client.check_acl", (client, action, topic) => {
      say("client.check_acl", { ...about(client), action, topic: loggedTopic(topic, client.username) });
      return null;
    });

    ctx.hook("client.connected", (client, code) => say("client.connected", { ...about(client), code }));
    ctx.hook("client.disconnected", (client, reason) => say("client.disconnected", { ...about(client), reason }));
    // Filters and options may be changed in place, entries removed.
    ctx.hook("client.subscribe", (client, topics) => {
      const filters = topics.map((t) => `${loggedTopic(t.filter, client.username)} (QoS ${t.options.qos})`);
      say("client.subscribe", { ...about(client), filters: filters.join(" ") });
    });
    ctx.hook("client.unsubscribe", (client, filters) => {
      say("client.unsubscribe", { ...about(client), filters: filters.map((f) => loggedTopic(f, client.username)).join(" ") });
    });

    ctx.hook("session.created", (clientid) => say("session.created", { clientid }));
    ctx.hook("session.resumed", (clientid) => say("session.resumed", { clientid }));
    // Filters, as topics, stand below the client's mountpoint, which may have its user name in it.
    const shown = (clientid: string, filter: string): string => loggedTopic(filter, ctx.broker.session(clientid)?.username ?? null);
    ctx.hook("session.subscribed", (clientid, filter, { qos }, isNew) => {
      say("session.subscribed", { clientid, filter: shown(clientid, filter), qos, isNew });
    });
    ctx.hook("session.unsubscribed", (clientid, filter) => say("session.unsubscribed", { clientid, filter: shown(clientid, filter) }));
    ctx.hook("session.terminated", (clientid, reason) => say("session.terminated", { clientid, reason }));

    // Another fold: the message goes on as it is returned, changed or not; null stops it.
    ctx.hook("message.publish", (message) => {
      if (!message.topic.startsWith("$SYS/")) say("message.publish", of(message));
      return message;
    });
    ctx.hook("message.delivered", (clientid, message) => {
      if (!message.topic.startsWith("$SYS/")) say("message.delivered", { clientid, ...of(message) });
    });
    ctx.hook("message.acked", (clientid, message) => say("message.acked", { clientid, ...of(message) }));
    ctx.hook("message.dropped", (message, reason, clientid) => say("message.dropped", { reason, clientid, ...of(message) }));
  },
});

/** A user name that is a token is a password, wherever it stands; in a topic or filter it need not be a whole level (`loggedTopic`). */
function withoutTokens(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, typeof value === "string" ? loggedName(value) : value]));
}

/** No password, no payload: logs are read by many. */
function about(client: ClientInfo): Record<string, unknown> {
  return { clientid: client.clientId, username: client.username, peer: `${client.ip}:${client.port}` };
}

function of(m: Message): Record<string, unknown> {
  return { topic: loggedTopic(m.topic, m.username), qos: m.qos, retain: m.retain, from: m.from, bytes: m.payloadEnd - m.payloadStart };
}
