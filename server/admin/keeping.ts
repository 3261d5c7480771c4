/** What a command changes is kept before it is called done; while it cannot be, the caller hears so. */
import type { Broker } from "../core/broker.ts";
import type { QoS } from "../mqtt/types.ts";
import { CODE } from "./codes.ts";
import { AdminError } from "./deps.ts";

export function createKeeping({ durability, node, output, router }: Broker) {
  function failed(what: string): AdminError {
    const remedy =
      node.storageOnError === "accept"
        ? "as much waits in memory as storage.pending_limit allows"
        : "with storage.on_error = accept memory will do";
    return new AdminError(CODE.UNKNOWN, `storage_failed: ${what}; the alarm storage_failed says why, ${remedy}`);
  }

  /** @throws AdminError 102, unless everything so far is kept, or memory will do */
  function commit(what: string): void {
    output.commit();
    durability.syncNow();
    if (durability.failed && node.storageOnError === "refuse") throw failed(what);
  }

  return {
    /** Before a change: what others have changed is committed, which tells whether the disk takes anything. @throws AdminError 102: it could not be kept */
    mayChange(): void {
      output.commit();
      if (durability.refusing) throw failed("nothing was changed, because it could not be kept");
    },
    /** Behind a change. @throws AdminError 102: it is made, but only in memory */
    changed: (): void => commit("changed in memory only, and lost if the node ends before data can be stored again"),

    /**
     * Before a message is published: does somebody have to keep it, because it is retained, or for a session?
     * @throws AdminError 102: it could not be kept
     */
    mayPublish(topic: string, qos: QoS, retain: boolean): boolean {
      if (!durability.mustKeep(null, router.once(topic), qos, retain)) return false;
      if (durability.refusing) throw failed("not published, because it could not be kept");
      return true;
    },
    /** Behind one that had to be kept. @throws AdminError 102: it is delivered, but only memory has it */
    published: (): void => commit("published, but kept in memory only, and lost if the node ends before data can be stored again"),
  };
}
