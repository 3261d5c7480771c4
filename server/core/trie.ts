/**
 * Values by topic filter or topic name, level by level. Filters without wildcards never get here (router.ts keeps them in a map).
 *
 * A stretch without branches is one node: memory grows with the bytes of the filters, not with their levels, of which 64 KiB
 * can hold 65,536. For the same reason nothing here is recursive.
 */
import { NamePrefix } from "../mqtt/topic_hash.ts";
import {
  behind,
  behindNode,
  childCount,
  childOf,
  commonLevels,
  join,
  levelAt,
  type Node,
  newNode,
  removeChild,
  setChild,
  split,
} from "./trie_node.ts";

const { latin1Slice } = Buffer.prototype;
const SLASH = 0x2f;
const PLUS = 0x2b;
const HASH = 0x23;
const DOLLAR = 0x24;
/** Of the scratch room of `match`, so much is kept. */
const ROOM = 64;

/** How much a look-up may do before it gives up. */
export interface Budget {
  found: number;
  /** Nodes and levels looked at. */
  visited: number;
}

export class Trie<T extends object> {
  readonly #root: Node<T> = newNode<T>(null, null);
  /** Where `match` has yet to go: nodes, and for each where in the name the next level begins. Scratch room. */
  readonly #nodes: Node<T>[] = [];
  readonly #places: number[] = [];
  /** How the names begin that come now, as far as nothing but single levels matches; the node there, and the steps to it. */
  readonly prefix = new NamePrefix();
  #behindPrefix: Node<T> = this.#root;
  /** Characters of the node's skipped levels that are part of the prefix; DONE = all, and the "/" behind them. */
  #skipped = DONE;
  #stepsToPrefix = 0;
  size = 0;
  /** Nodes that `match` has looked at so far, and nodes and levels that `select` has. */
  steps = 0;

  set(path: string, value: T): void {
    const node = this.#place(path);
    if (node.value === null) this.size++;
    node.value = value;
  }

  /** What is there already, or else the value, which is there now. */
  put(path: string, value: T): T {
    const node = this.#place(path);
    if (node.value !== null) return node.value;
    this.size++;
    node.value = value;
    return value;
  }

  get(path: string): T | null {
    let node = this.#root;
    for (let at = 0; at >= 0; ) {
      const level = levelAt(path, at);
      const next = childOf(node, level);
      const below = next === null ? null : behindNode(next, path, at + level.length);
      if (next === null || below === null) return null;
      node = next;
      at = below;
    }
    return node.value;
  }

  /** The node where the path ends, made if there was none. */
  #place(path: string): Node<T> {
    this.prefix.length = 0;
    let node = this.#root;
    // Where the next level begins; -1 = the path ends at the node.
    let at = 0;
    while (at >= 0) {
      const level = levelAt(path, at);
      const rest = behind(path, at + level.length);
      let next = childOf(node, level);
      if (next === null) {
        next = newNode<T>(rest < 0 ? null : path.slice(rest), null);
        setChild(node, level, next);
        return next;
      }
      at = rest;
      if (next.skip !== null) {
        const same = commonLevels(next.skip, path, rest);
        if (same < next.skip.length) {
          next = split(next, same);
          setChild(node, level, next);
        }
        if (same >= 0) at = behind(path, rest + same);
      }
      node = next;
    }
    return node;
  }

  /** What was there; null = nothing. */
  delete(path: string): T | null {
    this.prefix.length = 0;
    const parents: Node<T>[] = [];
    const keys: string[] = [];
    let node = this.#root;
    for (let at = 0; at >= 0; ) {
      const level = levelAt(path, at);
      const next = childOf(node, level);
      const below = next === null ? null : behindNode(next, path, at + level.length);
      if (next === null || below === null) return null;
      parents.push(node);
      keys.push(level);
      node = next;
      at = below;
    }
    const { value } = node;
    if (value === null) return null;
    node.value = null;
    this.size--;
    if (childCount(node) > 0) {
      join(node);
      return value;
    }
    const parent = parents.pop() as Node<T>;
    removeChild(parent, keys.pop() as string);
    if (parent !== this.#root && parent.value === null) join(parent);
    return value;
  }

  /**
   * Adds to `found` the values of all filters that match the topic name `buf[start, end)`, and returns the steps that took. Filters are
   * given with one character for each byte of their UTF-8. Wildcards at the first level do not match `$` topics [MQTT-4.7.2-1].
   * The name is compared where it lies, and nothing is made but for a look-up in a map of children: with one filter 72 ns, 235 with a list of
   * the name's levels. `behindPrefix`: the name has the prefix, and what that leads to is known: 31 ns.
   */
  match(buf: Uint8Array, start: number, end: number, found: T[], behindPrefix: boolean): number {
    if (this.size === 0) return 0;
    const nodes = this.#nodes;
    const places = this.#places;
    const hides = start < end && buf[start] === DOLLAR;
    let waiting = 0;
    let steps = behindPrefix ? this.#stepsToPrefix : 0;
    let node = behindPrefix ? this.#behindPrefix : this.#root;
    let below = behindPrefix ? placeBelow(node, buf, start + this.prefix.length, end, found, this.#skipped) : start;
    for (;;) {
      steps++;
      if (below > end) {
        if (node.value !== null) found.push(node.value);
        // "a/#" matches "a" too: the multi-level wildcard includes the parent level.
        if (node.hash !== null && node.hash.value !== null) found.push(node.hash.value);
      } else if (below !== NO) {
        const wild = !hides || below !== start;
        const plus = wild ? node.plus : null;
        if (wild && node.hash !== null) {
          nodes[waiting] = node.hash;
          places[waiting++] = ALL;
        }
        // Where the level ends does not matter when it is compared with one key, or with nothing.
        const stop = plus !== null || node.children !== null ? levelEnd(buf, below, end) : NO;
        const exact = exactChild(node, buf, below, stop, end);
        if (exact !== null) {
          if (plus !== null) {
            nodes[waiting] = plus;
            places[waiting++] = stop + 1;
          }
          below = placeBelow(exact, buf, (stop === NO ? below + node.key.length : stop) + 1, end, found, 0);
          node = exact;
          continue;
        }
        if (plus !== null) {
          below = placeBelow(plus, buf, stop + 1, end, found, 0);
          node = plus;
          continue;
        }
      }
      if (waiting === 0) break;
      node = nodes[--waiting] as Node<T>;
      below = placeBelow(node, buf, places[waiting] as number, end, found, 0);
    }
    if (nodes.length > ROOM) nodes.length = 0;
    this.steps += steps;
    return steps;
  }

  /** The prefix is from now on that of this name, which is plain. */
  follow(buf: Uint8Array, start: number, end: number): void {
    let node = this.#root;
    let at = start;
    let steps = 0;
    let skipped = DONE;
    while (skipped === DONE && node.plus === null && node.hash === null) {
      const stop = levelEnd(buf, at, end);
      const next = exactChild(node, buf, at, stop, end);
      if (next === null || stop === end || next.skip === "") break;
      const skip = next.skip ?? "";
      const literal = skip.search(/[+#]/);
      const length = literal < 0 ? skip.length : literal;
      // Behind it there is one level at least.
      const place = stop + 1 + length + (literal < 0 && length > 0 ? 1 : 0);
      if (place > end || buf[place - 1] !== SLASH) break;
      if (latin1Slice.call(buf, stop + 1, stop + 1 + length) !== skip.slice(0, length)) break;
      if (literal >= 0) skipped = literal;
      at = place;
      node = next;
      steps++;
    }
    this.prefix.set(buf, start, at - start);
    this.#behindPrefix = node;
    this.#skipped = skipped;
    this.#stepsToPrefix = steps;
  }

  /** Values of all topic names that the filter selects, in no order; null = the budget did not suffice. */
  select(filter: string, budget: Budget): T[] | null {
    const found: T[] = [];
    // Most filters begin with a level that no topic has.
    const first = levelAt(filter, 0);
    if (first !== "+" && first !== "#" && childOf(this.#root, first) === null) {
      this.steps++;
      return found;
    }
    const levels = filter.split("/");
    let visited = 0;
    const nodes: Node<T>[] = [this.#root];
    const depths: number[] = [0];
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      const before = depths.pop() as number;
      const depth = selectSkip(node, levels, before);
      const steps = depth > before ? 1 + depth - before : 1;
      this.steps += steps;
      visited += steps;
      if (visited > budget.visited) return null;
      if (depth === NO) continue;
      const level = depth === ALL ? "#" : levels[depth];
      if ((level === undefined || level === "#") && node.value !== null) {
        found.push(node.value);
        if (found.length > budget.found) return null;
      }
      if (level === undefined) continue;
      if (level !== "+" && level !== "#") {
        const next = childOf(node, level);
        if (next === null) continue;
        nodes.push(next);
        depths.push(depth + 1);
        continue;
      }
      // Each costs a look at least, and to list a million of them takes long.
      if (visited + nodes.length + childCount(node) > budget.visited) return null;
      const below = level === "#" ? ALL : depth + 1;
      const take = (name: string, next: Node<T>): void => {
        if (depth === 0 && name.startsWith("$")) return;
        nodes.push(next);
        depths.push(below);
      };
      if (node.only !== null) take(node.key, node.only);
      if (node.children !== null) for (const [name, next] of node.children) take(name, next);
      if (node.plus !== null) take("+", node.plus);
      if (node.hash !== null) take("#", node.hash);
    }
    return found;
  }
}

/** Instead of a depth: does not match, or everything from here on does. */
const NO = -1;
const ALL = -2;
/** Instead of a position in a node's skipped levels: behind them. */
const DONE = -1;

/**
 * Where in the name the level below the node begins, `end + 1` = there is none; NO when there is nothing more to look for below it. `from`:
 * where in its skipped levels to begin.
 */
function placeBelow<T>(node: Node<T>, buf: Uint8Array, at: number, end: number, found: T[], from: number): number {
  if (at === ALL) {
    if (node.value !== null) found.push(node.value);
    return NO;
  }
  const { skip } = node;
  if (skip === null || from === DONE) return at;
  let p = at;
  for (let i = from; i < skip.length; i++) {
    const c = skip.charCodeAt(i);
    // A name has no wildcards: what is equal is no wildcard either.
    if (p < end && buf[p] === c) p++;
    else if (c === HASH) {
      if (node.value !== null) found.push(node.value);
      return NO;
    } else if (c === PLUS && p <= end) p = levelEnd(buf, p, end);
    else if (c === SLASH && p === end) p++;
    else return NO;
  }
  return p === end || (p < end && buf[p] === SLASH) ? p + 1 : NO;
}

function levelEnd(buf: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end && buf[p] !== SLASH) p++;
  return p;
}

/** The child that is no wildcard and has the level for its key that begins at `at`, and ends at `stop`, if that is known. */
function exactChild<T>(node: Node<T>, buf: Uint8Array, at: number, stop: number, end: number): Node<T> | null {
  if (node.only === null) return node.children === null ? null : (node.children.get(latin1Slice.call(buf, at, stop)) ?? null);
  const { key } = node;
  const after = at + key.length;
  if (after > end || (after < end && buf[after] !== SLASH)) return null;
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) !== buf[at + i]) return null;
  return node.only;
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
