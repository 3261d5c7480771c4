/** The core's broker as plugins and their manager see it. Everything a plugin does is flushed in the same turn or the next one. */
import type { Broker } from "../core/broker.ts";
import type { HookFilter, HookPoint, HookPoints } from "../core/hooks.ts";
import type { Session } from "../core/session.ts";
import { stackOf } from "../lib/errors.ts";
import { RC } from "../mqtt/reason_codes.ts";
import type { PluginBroker } from "./plugin.ts";

/** What the manager needs beyond what plugins may use. */
export interface ManagedBroker extends PluginBroker {
  /** A place among the hooks of one priority: see `Hooks.place`. */
  place(): number;
  /** Register a hook and tell whoever relies on its absence. Returns the function that takes it back. */
  hook<P extends HookPoint>(
    point: P,
    id: string,
    fn: HookPoints[P],
    priority: number,
    filter: HookFilter | null,
    place?: number,
  ): () => void;
  /** Commit what was written and send what was gathered, soon. */
  flush(): void;
}

/** `later`: run in a later turn of the event loop. */
export function createPluginBroker(broker: Broker, later: (fn: () => void) => void = setImmediate): ManagedBroker {
  let flushing = false;
  let forgetRetained = (): void => {};

  /** Plugins act at any time, also when no data callback or tick will flush after them. */
  function flush(): void {
    if (flushing) return;
    flushing = true;
    later(() => {
      flushing = false;
      broker.flush();
    });
  }

  function hooksChanged(point: HookPoint): void {
    if (point === "message.delivered") broker.refreshRaw();
    else if (point === "client.check_acl") broker.access.invalidate();
  }

  return {
    nodeName: broker.node.nodeName,

    publish(message) {
      flush();
      return broker.publish(message);
    },
    deliverTo(session, message, options, retain) {
      flush();
      const to = session as Session;
      try {
        broker.deliverTo(to, message, options, retain);
      } catch (err) {
        // As with a message to many: it would miss what is left and never know, so its connection ends; whoever else is served has no part in it.
        if (to.channel === null) throw err;
        broker.output.broke(to.channel, err);
      }
    },
    session: (clientId) => broker.sessions.get(clientId),
    client: (clientId) => broker.sessions.get(clientId)?.channel?.client ?? undefined,
    get sessionCount() {
      return broker.sessions.size;
    },
    get connections() {
      return broker.connections;
    },
    *clients() {
      for (const { channel } of broker.sessions.values()) if (channel?.client != null) yield channel.client;
    },
    get aclEpoch() {
      return broker.access.epoch;
    },
    get largestPacket() {
      // 0 = no limit.
      return Math.max(...[...broker.zones.values()].map(({ maxPacketSize: n }) => (n > 0 ? n : Number.POSITIVE_INFINITY)));
    },
    get allowsAnonymous() {
      return [...broker.zones.values()].some((zone) => zone.allowAnonymous);
    },
    aclChanged: () => broker.access.invalidate(),
    alarm(id, desc) {
      if (desc !== null) broker.alarms.set(id, desc);
      else if (!broker.alarms.clear(id)) return;
      flush();
    },
    disconnect(client, reason) {
      const ch = broker.sessions.get(client.clientId)?.channel ?? null;
      if (ch?.client !== client) return false;
      broker.guard(ch, () => ch.close(RC.MAXIMUM_CONNECT_TIME, reason));
      flush();
      return true;
    },
    checkAcl: (client, action, topic) => broker.access.checkAcl(client, action, topic),

    hookHandlers: () =>
      (Object.keys(broker.hooks.at) as HookPoint[]).flatMap((point) =>
        broker.hooks.at[point].map((h) => ({ point, handler: h.id, failures: h.failures })),
      ),

    soon(fn) {
      later(() => {
        broker.beat();
        try {
          fn();
        } catch (err) {
          broker.log.error("plugin failed", { error: stackOf(err) });
        }
        broker.flush();
      });
    },
    after: (ms, fn) => broker.after(ms, fn),
    every(ms, fn) {
      let cancel: () => void;
      const arm = (): void => {
        cancel = broker.after(ms, () => {
          arm();
          fn();
        });
      };
      arm();
      return () => cancel();
    },
    count: (name, by = 1) => broker.metrics.count(name, by),
    setRetained(figures) {
      broker.metrics.setRetained(figures === null ? () => 0 : figures.count);
      forgetRetained();
      forgetRetained = figures === null ? () => {} : broker.memory.provide("retained", figures.bytes);
    },
    countWaiting: (bytes) => broker.memory.provide("queues", bytes),
    get memoryShort() {
      return broker.memory.short;
    },
    get storageFull() {
      return broker.durability.full;
    },
    get storageFailed() {
      return broker.durability.failed;
    },

    place: () => broker.hooks.place(),
    hook(point, id, fn, priority, filter, place) {
      const remove = broker.hooks.add(point, id, fn, priority, filter, place);
      hooksChanged(point);
      return () => {
        remove();
        hooksChanged(point);
      };
    },
    flush,
  };
}
