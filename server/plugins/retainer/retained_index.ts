/**
 * Retained messages in memory: by topic (exact look-ups), in order of storing (pages, delivery), and level by level (wildcards).
 * The order is a live one: an iterator over `entries` goes on while messages come and go, and needs no copy of them.
 */
import type { Message } from "../../core/message.ts";
import { hasWildcard } from "../../mqtt/topic.ts";

export interface Entry {
  message: Message;
  /** Counts the storings: a later message has a higher one. */
  seq: number;
}

interface Node {
  children: Map<string, Node> | null;
  entry: Entry | null;
}

/** How far a wildcard look-up goes before it gives up; the caller then looks through `entries` bit by bit. */
export interface Budget {
  found: number;
  visited: number;
}

export class RetainedIndex {
  private readonly byTopic = new Map<string, Entry>();
  private root: Node = { children: null, entry: null };
  /** `seq` of the message stored last. */
  seq = 0;
  /** Messages not under $SYS: those the limit counts. */
  ordinary = 0;

  get size(): number {
    return this.byTopic.size;
  }

  get(topic: string): Entry | undefined {
    return this.byTopic.get(topic);
  }

  /** Oldest first; live. */
  entries(): IterableIterator<Entry> {
    return this.byTopic.values();
  }

  topics(): string[] {
    return [...this.byTopic.keys()];
  }

  set(m: Message): void {
    let entry = this.byTopic.get(m.topic);
    if (entry) {
      // To the end of the order.
      this.byTopic.delete(m.topic);
      entry.message = m;
    } else {
      entry = { message: m, seq: 0 };
      this.node(m.topic).entry = entry;
      if (!isSys(m.topic)) this.ordinary++;
    }
    entry.seq = ++this.seq;
    this.byTopic.set(m.topic, entry);
  }

  private node(topic: string): Node {
    let node = this.root;
    for (const level of topic.split("/")) {
      node.children ??= new Map();
      let next = node.children.get(level);
      if (!next) {
        next = { children: null, entry: null };
        node.children.set(level, next);
      }
      node = next;
    }
    return node;
  }

  delete(topic: string): boolean {
    if (!this.byTopic.delete(topic)) return false;
    if (!isSys(topic)) this.ordinary--;
    const levels = topic.split("/");
    const path = [this.root];
    for (const level of levels) path.push(path.at(-1)?.children?.get(level) as Node);
    (path.at(-1) as Node).entry = null;
    for (let i = levels.length; i > 0; i--) {
      const node = path[i] as Node;
      if (node.entry !== null || node.children !== null) break;
      const parent = path[i - 1] as Node;
      parent.children?.delete(levels[i - 1] as string);
      if (parent.children?.size === 0) parent.children = null;
    }
    return true;
  }

  clear(): void {
    this.byTopic.clear();
    this.root = { children: null, entry: null };
    this.ordinary = 0;
  }

  /** What the filter selects, oldest first; null when finding it takes more than the budget. */
  match(filter: string, budget: Budget): Entry[] | null {
    if (!hasWildcard(filter)) {
      const entry = this.byTopic.get(filter);
      return entry ? [entry] : [];
    }
    const found: Entry[] = [];
    const left = { ...budget };
    if (!walk(this.root, filter.split("/"), 0, true, found, left)) return null;
    return found.sort((a, b) => a.seq - b.seq);
  }
}

export function isSys(topic: string): boolean {
  return topic.startsWith("$SYS/");
}

/** False = out of budget. `top`: at the root, where topics beginning with $ are hidden from wildcards [MQTT-4.7.2-1]. */
function walk(node: Node, levels: readonly string[], depth: number, top: boolean, found: Entry[], left: Budget): boolean {
  if (--left.visited < 0) return false;
  if (depth === levels.length) return take(node, found, left);
  const level = levels[depth] as string;
  // "a/#" selects "a" too.
  if (level === "#" && !take(node, found, left)) return false;
  if (node.children === null) return true;
  if (level !== "#" && level !== "+") {
    const next = node.children.get(level);
    return next === undefined || walk(next, levels, depth + 1, false, found, left);
  }
  const nextDepth = level === "#" ? depth : depth + 1;
  for (const [name, child] of node.children) {
    if (top && name.startsWith("$")) continue;
    if (!walk(child, levels, nextDepth, false, found, left)) return false;
  }
  return true;
}

function take(node: Node, found: Entry[], left: Budget): boolean {
  if (node.entry === null) return true;
  found.push(node.entry);
  return found.length <= left.found;
}
