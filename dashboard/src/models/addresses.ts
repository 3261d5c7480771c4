/** Where programs reach this broker: for the commands the pages offer to copy. */
import { computed, type ReadonlySignal } from "@preact/signals";
import type { Listener } from "../api/client.ts";
import type { App } from "./app.ts";
import { portOf } from "./listeners.ts";
import { createLive } from "./live.ts";

export interface Addresses {
  /** "http://host:8080/api/v3" */
  api: ReadonlySignal<string>;
  /** "-h host" and, if it is not 1883, "-p port": the arguments of mosquitto_sub. */
  mqtt: ReadonlySignal<string>;
  dispose(): void;
}

export function addressesOf(
  listeners: readonly Pick<Listener, "protocol" | "listen_on" | "name">[],
  host: string,
): { api: string; mqtt: string } {
  const port = (protocol: string, name: string | null, usual: string): string => {
    const l = listeners.find((x) => x.protocol === protocol && (name === null || x.name === name));
    return l ? portOf(l) : usual;
  };
  const mqtt = port("mqtt:tcp", "external", "1883");
  return {
    api: `http://${host}:${port("http:management", null, "8080")}/api/v3`,
    mqtt: mqtt === "1883" ? `-h ${host}` : `-h ${host} -p ${mqtt}`,
  };
}

export function createAddresses(app: App, host: string): Addresses {
  const live = createLive(() => app.api.listeners(), { link: app.link, every: 0 });
  const all = computed(() =>
    addressesOf(
      (live.data.value ?? []).flatMap((n) => n.listeners),
      host || "localhost",
    ),
  );
  return { api: computed(() => all.value.api), mqtt: computed(() => all.value.mqtt), dispose: () => live.dispose() };
}
