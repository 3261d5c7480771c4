/** What a command changes is kept before it is called done; while it cannot be, the caller hears so. */
import type { Broker } from "../core/broker.ts";
import type { QoS } from "../mqtt/types.ts";
import { CODE } from "./codes.ts";
import { AdminError } from "./deps.ts";

const failed = (what: string): AdminError =>
  new AdminError(CODE.UNKNOWN, `storage_failed: ${what}; the alarm storage_failed says why, with storage.on_error = accept memory will do`);

export function createKeeping({ durability, node, output, router }: Broker) {
  return {
    /** Before a change. @throws AdminError 102: it could not be kept */
    mayChange(): void {
      if (durability.refusing) throw failed("nothing was changed, because it could not be kept");
    },
    /** Behind a change. @throws AdminError 102: it is made, but only in memory */
    changed(): void {
      output.commit();
      if (durability.failed && node.storageOnError === "refuse") {
        throw failed("changed in memory only, and lost if the node ends before data can be stored again");
      }
    },
    /** Before a message is published: it would have to be kept if it is retained, or for somebody's session. @throws AdminError 102 */
    mayPublish(topic: string, qos: QoS, retain: boolean): void {
      if (durability.refusing && durability.mustKeep(null, router.route(topic), qos, retain)) {
        throw failed("not published, because it could not be kept");
      }
    },
  };
}
