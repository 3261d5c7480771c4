/** Topic names and filters (section 4.7), shared subscriptions (section 4.8.2). */
import { fitsString, hasUnwanted } from "./utf8.ts";

const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;
const DOLLAR = 0x24;

/** At least one character [MQTT-4.7.3-1], and no more bytes than a string can have [MQTT-4.7.3-3]. */
export function validTopicLength(s: string): boolean {
  return s.length > 0 && fitsString(s);
}

/**
 * May a message be published to it? No wildcards [MQTT-3.3.2-2], no U+0000 [MQTT-4.7.3-2] and nothing else that may not stand in a
 * string: names need not come from a packet, where they were read as one. 1..65535 bytes.
 */
export function validTopicName(s: string): boolean {
  if (!validTopicLength(s)) return false;
  let plain = true;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c === PLUS || c === HASH || c < 0x20) return false;
    if (c > 0x7e) plain = false;
  }
  return plain || !hasUnwanted(s);
}

/** `#` only as the last level [MQTT-4.7.1-1], `+` only as a whole level [MQTT-4.7.1-2]. Shared prefixes: see `parseSharedFilter`. */
export function validTopicFilter(s: string): boolean {
  if (!validTopicLength(s)) return false;
  const last = s.length - 1;
  for (let i = 0; i <= last; i++) {
    const c = s.charCodeAt(i);
    if (c === 0) return false;
    if (c !== PLUS && c !== HASH) continue;
    if (i > 0 && s.charCodeAt(i - 1) !== SLASH) return false;
    if (i < last && (c === HASH || s.charCodeAt(i + 1) !== SLASH)) return false;
  }
  return s.isWellFormed();
}

export interface SharedFilter {
  /** Share name; "$queue" for `$queue/…`; null = not a shared subscription. */
  group: string | null;
  /** Filter without the prefix. */
  filter: string;
}

/** Takes `$share/<group>/<filter>` and `$queue/<filter>` (EMQ X) apart; null = not a valid filter of any kind. */
export function parseSharedFilter(s: string): SharedFilter | null {
  if (!validTopicFilter(s)) return null;
  if (s.charCodeAt(0) !== DOLLAR) return { group: null, filter: s };
  if (s.startsWith("$queue/")) return shared("$queue", s.slice(7));
  if (!s.startsWith("$share/")) return { group: null, filter: s };
  const slash = s.indexOf("/", 7);
  // A name of at least one character [MQTT-4.8.2-1], then "/" and a filter [MQTT-4.8.2-2].
  if (slash <= 7) return null;
  const group = s.slice(7, slash);
  return hasWildcard(group) ? null : shared(group, s.slice(slash + 1));
}

/** Shared subscriptions of shared subscriptions make no sense; EMQ X refuses them too. */
function shared(group: string, filter: string): SharedFilter | null {
  return filter === "" || filter.startsWith("$share/") || filter.startsWith("$queue/") ? null : { group, filter };
}

export function hasWildcard(s: string): boolean {
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c === PLUS || c === HASH) return true;
  }
  return false;
}

/** Number of levels: one more than there are slashes. */
export function topicLevels(s: string): number {
  let n = 1;
  for (let i = 0; i < s.length; i++) if (s.charCodeAt(i) === SLASH) n++;
  return n;
}

/** The same of a name as it stands in a packet. */
export function levelsOf(buf: Uint8Array, start: number, end: number): number {
  let n = 1;
  for (let i = start; i < end; i++) if (buf[i] === SLASH) n++;
  return n;
}

/** Does the (valid) filter, without a shared prefix, select the topic name? */
export function topicMatches(topic: string, filter: string): boolean {
  const first = filter.charCodeAt(0);
  // Topics beginning with $ are hidden from filters beginning with a wildcard [MQTT-4.7.2-1].
  if ((first === PLUS || first === HASH) && topic.charCodeAt(0) === DOLLAR) return false;
  let t = 0;
  let f = 0;
  for (; f < filter.length; f++) {
    const c = filter.charCodeAt(f);
    if (c === HASH) return true;
    if (c === PLUS) {
      while (t < topic.length && topic.charCodeAt(t) !== SLASH) t++;
    } else if (t < topic.length && topic.charCodeAt(t) === c) {
      t++;
    } else {
      // "a/#" selects "a" too: a multi-level wildcard includes the parent level (4.7.1.2).
      return t === topic.length && c === SLASH && f === filter.length - 2 && filter.charCodeAt(f + 1) === HASH;
    }
  }
  return t === topic.length;
}
