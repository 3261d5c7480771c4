/** The access check of a connected client, with its cache in front. */
import type { AclVerdict, Action, ClientInfo } from "./types.ts";
import { AclCache } from "./acl_cache.ts";
import type { Channel } from "./channel.ts";

/** `topic` as the client names it. Asynchronous only when a plugin has to ask somebody. */
export function checkAcl(ch: Channel, action: Action, topic: string): AclVerdict | Promise<AclVerdict> {
  const { access, metrics, now } = ch.broker;
  const client = ch.client as ClientInfo;
  const { zone } = client;
  if (client.isSuper || !zone.enableAcl) return "allow";
  if (!zone.enableAclCache) return access.checkAcl(client, action, topic);
  const generation = access.generation;
  ch.aclCache ??= new AclCache();
  const cache = ch.aclCache;
  const known = cache.get(action, topic, now, zone.aclCacheTtlMs, generation);
  if (known !== undefined) {
    metrics.aclCacheHit++;
    return known;
  }
  metrics.aclCacheMiss++;
  const verdict = access.checkAcl(client, action, topic);
  if (typeof verdict === "string") {
    cache.put(action, topic, verdict, now, zone.aclCacheMaxSize, generation);
    return verdict;
  }
  return verdict.then((v) => {
    cache.put(action, topic, v, ch.broker.now, zone.aclCacheMaxSize, generation);
    return v;
  });
}

/** Until when (Unix ms) the channel may take an allowed topic for allowed without asking again. */
export function freshUntil(ch: Channel): number {
  const client = ch.client as ClientInfo;
  const { zone } = client;
  if (client.isSuper || !zone.enableAcl) return Number.POSITIVE_INFINITY;
  return zone.enableAclCache ? ch.broker.now + zone.aclCacheTtlMs : 0;
}
