/** Where a client's topics live: the mountpoint of its zone, or the one authentication gave it, with its names filled in. */
import { seldom } from "../../lib/seldom.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { validTopicLength } from "../../mqtt/topic.ts";
import type { ClientInfo } from "../types.ts";
import type { Refusal } from "./refuse.ts";

const PLACEHOLDER = /%[cu]/g;
/** Below a mountpoint with one of these a client would see what others have. */
const WILD = /[+#\0]/;
/** A filter that begins so is another one, without what follows. */
const SHARED = /^\$(?:share|queue)\//;

/**
 * `%c` and `%u` are filled in once: what a name contains is text, and no wildcard that leads out of the mountpoint. A name may have levels of its own
 * (a "/" in it, as in EMQ X 3.1), but makes no topic that begins with "$", which means something else to the broker.
 */
export function mountpointOf(template: string, client: ClientInfo): string | Refusal {
  if (template === "") return "";
  const { clientId } = client;
  const username = client.username ?? "";
  if (template.includes("%c") && WILD.test(clientId)) {
    return { code: RC.CLIENT_IDENTIFIER_NOT_VALID, why: "client identifier with a wildcard, which the mountpoint would take in" };
  }
  if (template.includes("%u") && WILD.test(username)) {
    return { code: RC.NOT_AUTHORIZED, why: "user name with a wildcard, which the mountpoint would take in" };
  }
  const full = template.replace(PLACEHOLDER, (name) => (name === "%c" ? clientId : username));
  if (!validTopicLength(full)) return unfit(`mountpoint ${template} is too long for this client`);
  if (WILD.test(full) || SHARED.test(full)) return unfit(`mountpoint ${template} has a wildcard or a share in it`);
  if (full.startsWith("$") && firstLevel(full) !== firstLevel(template))
    return unfit(`mountpoint ${template} begins with "$" for this client`);
  return full;
}

/** Not the client's fault: it hears no more than that. */
const unfit = (why: string): Refusal => ({ code: RC.NOT_AUTHORIZED, why, told: "not authorized" });

const firstLevel = (topic: string): string | undefined => topic.split("/", 1)[0];

seldom(mountpointOf);
