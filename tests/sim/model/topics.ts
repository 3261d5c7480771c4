/** Topic matching by lists, level by level. */

/** A hook takes messages to topics under it: their publishers hear of success, and nobody gets them. */
export const STOPPED = "st/";

export function matches(topic: string, filter: string): boolean {
  const t = topic.split("/");
  const f = filter.split("/");
  if (topic.startsWith("$") && (f[0] === "+" || f[0] === "#")) return false;
  for (let i = 0; i < f.length; i++) {
    if (f[i] === "#") return true;
    if (i >= t.length) return false;
    if (f[i] !== "+" && f[i] !== t[i]) return false;
  }
  return t.length === f.length;
}

/** null = not a filter at all [MQTT-4.7.1-1 to -3, 4.8.2-1, -2]. */
export function parseFilter(full: string): { group: string | null; filter: string } | null {
  let group: string | null = null;
  let filter = full;
  if (full.startsWith("$queue/")) {
    group = "$queue";
    filter = full.slice(7);
  } else if (full.startsWith("$share/")) {
    const parts = full.split("/");
    group = parts[1] ?? "";
    filter = parts.slice(2).join("/");
    if (group === "" || /[+#]/.test(group) || parts.length < 3) return null;
  }
  if (filter === "" || filter.includes("\0")) return null;
  if (group !== null && (filter.startsWith("$share/") || filter.startsWith("$queue/"))) return null;
  const levels = filter.split("/");
  for (const [i, level] of levels.entries()) {
    if (level === "+") continue;
    if (level === "#") {
      if (i !== levels.length - 1) return null;
    } else if (/[+#]/.test(level)) return null;
  }
  return { group, filter };
}
