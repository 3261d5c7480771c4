/** What a script may have: the callbacks of EMQ X 3.1's emqx_lua_hook, by name, with the arguments they get. */

/** `decides`: the broker waits for what it returns. `tells`: it is told, and what it returns is nothing to anybody. */
export interface Callback {
  readonly name: string;
  readonly kind: "decides" | "tells";
  readonly args: readonly string[];
}

const WHO = ["clientid", "username"] as const;
const MESSAGE = [...WHO, "topic", "payload", "qos", "retain"] as const;

/** The place of a callback in this list is its number on the way to the worker. */
export const CALLBACKS = [
  { name: "on_client_authenticate", kind: "decides", args: [...WHO, "peername", "password"] },
  { name: "on_client_check_acl", kind: "decides", args: [...WHO, "peername", "password", "pubsub", "topic"] },
  { name: "on_client_connected", kind: "tells", args: [...WHO, "code"] },
  { name: "on_client_disconnected", kind: "tells", args: [...WHO, "reason"] },
  { name: "on_client_subscribe", kind: "decides", args: [...WHO, "topic"] },
  { name: "on_client_unsubscribe", kind: "decides", args: [...WHO, "topic"] },
  { name: "on_session_subscribed", kind: "tells", args: [...WHO, "topic"] },
  { name: "on_session_unsubscribed", kind: "tells", args: [...WHO, "topic"] },
  { name: "on_message_publish", kind: "decides", args: MESSAGE },
  { name: "on_message_deliver", kind: "tells", args: MESSAGE },
  { name: "on_message_acked", kind: "tells", args: MESSAGE },
] as const satisfies readonly Callback[];

export type CallbackName = (typeof CALLBACKS)[number]["name"];

/** Those that keep somebody out: they matter also while their script does not run. */
export const ACCESS = ["on_client_authenticate", "on_client_check_acl"] as const satisfies readonly CallbackName[];
export type AccessName = (typeof ACCESS)[number];

export const CALLBACK_NAMES: readonly CallbackName[] = CALLBACKS.map((c) => c.name);

/** -1 = there is no such callback. */
export const numberOf = (name: string): number => CALLBACKS.findIndex((c) => c.name === name);
