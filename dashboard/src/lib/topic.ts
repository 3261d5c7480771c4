/** MQTT topic rules the forms need (MQTT 5.0, section 4.7). */

/** null when the filter is valid, else the i18n key of what is wrong. */
export function filterError(filter: string): "topic.empty" | "topic.hash" | "topic.plus" | "topic.long" | "topic.nul" | null {
  if (filter === "") return "topic.empty";
  if (filter.includes("\u0000")) return "topic.nul";
  if (new TextEncoder().encode(filter).length > 65_535) return "topic.long";
  const levels = filter.split("/");
  for (const [i, level] of levels.entries()) {
    if (level.includes("#") && (level !== "#" || i !== levels.length - 1)) return "topic.hash";
    if (level.includes("+") && level !== "+") return "topic.plus";
  }
  return null;
}

/** null when messages can be published to it. */
export function topicError(topic: string): "topic.empty" | "topic.wildcard" | "topic.long" | "topic.nul" | null {
  if (topic === "") return "topic.empty";
  if (/[+#]/.test(topic)) return "topic.wildcard";
  if (topic.includes("\u0000")) return "topic.nul";
  return new TextEncoder().encode(topic).length > 65_535 ? "topic.long" : null;
}

/** Does a topic match a filter? `$`-topics are hidden from leading wildcards [MQTT-4.7.2-1]. */
export function matches(filter: string, topic: string): boolean {
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  const f = filter.split("/");
  const t = topic.split("/");
  for (let i = 0; i < f.length; i++) {
    if (f[i] === "#") return true;
    if (i >= t.length || (f[i] !== "+" && f[i] !== t[i])) return false;
  }
  return f.length === t.length;
}
