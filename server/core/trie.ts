/**
 * Values by topic filter or topic name, level by level. Filters without wildcards never get here (router.ts keeps them in a map).
 *
 * A stretch without branches is one node: memory grows with the bytes of the filters, not with their levels, of which 64 KiB
 * can hold 65,536. For the same reason nothing here is recursive.
 */

interface Node<T> {
  /** Levels between the key in the parent and this node's own children and value, joined by "/"; null = none, "" = one empty level. */
  skip: string | null;
  children: Map<string, Node<T>> | null;
  value: T | null;
}

/** How much a look-up may do before it gives up. */
export interface Budget {
  found: number;
  /** Nodes and levels looked at. */
  visited: number;
}

export class Trie<T extends object> {
  readonly #root: Node<T> = { skip: null, children: null, value: null };
  size = 0;
  /** Nodes that `match` has looked at so far. */
  steps = 0;

  set(path: string, value: T): void {
    let node = this.#root;
    // Where the next level begins; -1 = the path ends at the node.
    let at = 0;
    while (at >= 0) {
      const level = levelAt(path, at);
      const rest = behind(path, at + level.length);
      node.children ??= new Map();
      let next = node.children.get(level);
      if (next === undefined) {
        node.children.set(level, { skip: rest < 0 ? null : path.slice(rest), children: null, value });
        this.size++;
        return;
      }
      at = rest;
      if (next.skip !== null) {
        const same = commonLevels(next.skip, path, rest);
        if (same < next.skip.length) {
          next = split(next, same);
          node.children.set(level, next);
        }
        if (same >= 0) at = behind(path, rest + same);
      }
      node = next;
    }
    if (node.value === null) this.size++;
    node.value = value;
  }

  delete(path: string): void {
    const parents: Node<T>[] = [];
    const keys: string[] = [];
    let node = this.#root;
    for (let at = 0; at >= 0; ) {
      const level = levelAt(path, at);
      const next = node.children?.get(level);
      if (next === undefined) return;
      at = behind(path, at + level.length);
      if (next.skip !== null) {
        if (commonLevels(next.skip, path, at) !== next.skip.length) return;
        at = behind(path, at + next.skip.length);
      }
      parents.push(node);
      keys.push(level);
      node = next;
    }
    if (node.value === null) return;
    node.value = null;
    this.size--;
    if (node.children !== null) {
      join(node);
      return;
    }
    const parent = parents.pop() as Node<T>;
    parent.children?.delete(keys.pop() as string);
    if (parent.children?.size === 0) parent.children = null;
    if (parent !== this.#root && parent.value === null) join(parent);
  }

  /** Values of all filters that match the topic name. Wildcards at the first level do not match `$` topics [MQTT-4.7.2-1]. */
  match(topic: string): T[] {
    const found: T[] = [];
    if (this.size === 0) return found;
    const levels = topic.split("/");
    const nodes: Node<T>[] = [this.#root];
    const depths: number[] = [0];
    let steps = 0;
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      steps++;
      const depth = matchSkip(node, levels, depths.pop() as number, found);
      if (depth < 0) continue;
      const children = node.children;
      // "a/#" matches "a" too: the multi-level wildcard includes the parent level.
      const hidden = depth === 0 && topic.charCodeAt(0) === 36;
      const hash = hidden ? undefined : children?.get("#");
      if (depth === levels.length) {
        if (node.value !== null) found.push(node.value);
        if (hash?.value) found.push(hash.value);
        continue;
      }
      if (children === null) continue;
      // Taken from the end: the exact level comes first.
      if (hash !== undefined) {
        nodes.push(hash);
        depths.push(ALL);
      }
      const plus = hidden ? undefined : children.get("+");
      if (plus !== undefined) {
        nodes.push(plus);
        depths.push(depth + 1);
      }
      const exact = children.get(levels[depth] as string);
      if (exact !== undefined) {
        nodes.push(exact);
        depths.push(depth + 1);
      }
    }
    this.steps += steps;
    return found;
  }

  /** Values of all topic names that the filter selects, in no order; null = the budget did not suffice. */
  select(filter: string, budget: Budget): T[] | null {
    const found: T[] = [];
    const levels = filter.split("/");
    let visited = 0;
    const nodes: Node<T>[] = [this.#root];
    const depths: number[] = [0];
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      const before = depths.pop() as number;
      const depth = selectSkip(node, levels, before);
      visited += depth > before ? 1 + depth - before : 1;
      if (visited > budget.visited) return null;
      if (depth === NO) continue;
      const level = depth === ALL ? "#" : levels[depth];
      if ((level === undefined || level === "#") && node.value !== null) {
        found.push(node.value);
        if (found.length > budget.found) return null;
      }
      if (node.children === null || level === undefined) continue;
      if (level !== "+" && level !== "#") {
        const next = node.children.get(level);
        if (next === undefined) continue;
        nodes.push(next);
        depths.push(depth + 1);
        continue;
      }
      for (const [name, next] of node.children) {
        if (depth === 0 && name.startsWith("$")) continue;
        nodes.push(next);
        depths.push(level === "#" ? ALL : depth + 1);
      }
    }
    return found;
  }
}

/** Instead of a depth: does not match, or everything from here on does. */
const NO = -1;
const ALL = -2;

/** The depth behind the node's skipped levels; NO when there is nothing more to look for below it. */
function matchSkip<T>(node: Node<T>, levels: readonly string[], depth: number, found: T[]): number {
  if (depth === ALL) {
    if (node.value !== null) found.push(node.value);
    return NO;
  }
  const skip = node.skip;
  if (skip === null) return depth;
  for (let at = 0; at >= 0; depth++) {
    const level = levelAt(skip, at);
    if (level === "#") {
      if (node.value !== null) found.push(node.value);
      return NO;
    }
    if (depth === levels.length || (level !== "+" && level !== levels[depth])) return NO;
    at = behind(skip, at + level.length);
  }
  return depth;
}

function selectSkip<T>(node: Node<T>, levels: readonly string[], depth: number): number {
  const skip = node.skip;
  if (skip === null || depth === ALL) return depth;
  for (let at = 0; at >= 0; depth++) {
    const wanted = levels[depth];
    if (wanted === "#") return ALL;
    const level = levelAt(skip, at);
    if (wanted === undefined || (wanted !== "+" && wanted !== level)) return NO;
    at = behind(skip, at + level.length);
  }
  return depth;
}

function levelAt(path: string, at: number): string {
  const end = path.indexOf("/", at);
  return end < 0 ? path.slice(at) : path.slice(at, end);
}

/** Where the next level begins when one has ended at `end`; -1 = it was the last. */
function behind(path: string, end: number): number {
  return end >= path.length ? -1 : end + 1;
}

/** Characters of `skip` that are whole levels of `path` from `at` on too; -1 = not even the first level is the same. */
function commonLevels(skip: string, path: string, at: number): number {
  if (at < 0) return -1;
  const n = Math.min(skip.length, path.length - at);
  let i = 0;
  while (i < n && skip.charCodeAt(i) === path.charCodeAt(at + i)) i++;
  const ends = (s: string, end: number): boolean => end === s.length || s.charCodeAt(end) === 47;
  if (ends(skip, i) && ends(path, at + i)) return i;
  return i === 0 ? -1 : skip.lastIndexOf("/", i - 1);
}

/** The node that takes the place of `node` when only the first `same` characters of its skipped levels are common. */
function split<T>(node: Node<T>, same: number): Node<T> {
  const skip = node.skip as string;
  const rest = same < 0 ? skip : skip.slice(same + 1);
  const key = levelAt(rest, 0);
  node.skip = key.length === rest.length ? null : rest.slice(key.length + 1);
  return { skip: same < 0 ? null : skip.slice(0, same), children: new Map([[key, node]]), value: null };
}

/** A node without a value and with one child becomes one with it. */
function join<T>(node: Node<T>): void {
  if (node.children?.size !== 1) return;
  const [[key, child]] = [...node.children] as [[string, Node<T>]];
  node.skip = [node.skip, key, child.skip].filter((s) => s !== null).join("/");
  node.children = child.children;
  node.value = child.value;
}
