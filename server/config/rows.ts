/** Keys as they are shown, with what is in force. */
import type { Config } from "./config.ts";
import { byDefault, concreteKeys } from "./keys.ts";
import type { ConfigRow } from "./types.ts";

/** Every concrete key: placeholders are filled with the names there are. Made one by one: there may be many. */
export function* rowsOf(config: Config): Iterable<ConfigRow> {
  const names = new Map(["tcp", "ssl", "ws", "wss"].map((kind) => [`listener.${kind}`, config.listenerNames(kind)]));
  names.set("zone", [...config.zones().keys()]);
  const seen = new Set<string>();
  for (const keys of [...config.keys.rows.map((row) => concreteKeys(row.pattern, names)), config.written()])
    for (const key of keys) {
      if (seen.has(key)) continue;
      seen.add(key);
      const row = rowOf(config, key);
      if (row !== undefined) yield row;
    }
}

/** One key; undefined = unknown, or without a meaning here. */
export function rowOf(config: Config, key: string): ConfigRow | undefined {
  const found = config.keys.find(key);
  if (found?.entry.ignored !== null) return undefined;
  const { entry, app } = found;
  return {
    key,
    value: config.raw(key),
    default: byDefault(entry),
    type: entry.type,
    expects: entry.expects,
    doc: entry.doc,
    origin: config.origin(key),
    live: entry.live,
    app,
    choices: entry.choices,
    secret: entry.type === "secret",
  };
}
