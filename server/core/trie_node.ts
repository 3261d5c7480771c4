/** A node of the trie (trie.ts), and the levels of a path. */
import { type StringMap, widened } from "../lib/wide_map.ts";

const SLASH = 0x2f;

export interface Node<T> {
  /** Levels between the key in the parent and this node's own children and value, joined by "/"; null = none, "" = one empty level. */
  skip: string | null;
  /** The one child that is no wildcard and its key, in place of a map that most nodes would make for one entry. */
  key: string;
  only: Node<T> | null;
  /** Two or more children that are no wildcards. */
  children: StringMap<Node<T>> | null;
  plus: Node<T> | null;
  hash: Node<T> | null;
  value: T | null;
}

export function newNode<T>(skip: string | null, value: T | null): Node<T> {
  return { skip, key: "", only: null, children: null, plus: null, hash: null, value };
}

export function childOf<T>(node: Node<T>, key: string): Node<T> | null {
  if (key === "+") return node.plus;
  if (key === "#") return node.hash;
  if (node.only !== null) return node.key === key ? node.only : null;
  return node.children === null ? null : (node.children.get(key) ?? null);
}

export function setChild<T>(node: Node<T>, key: string, child: Node<T>): void {
  if (key === "+") node.plus = child;
  else if (key === "#") node.hash = child;
  else if (node.children !== null) {
    node.children.set(key, child);
    node.children = widened(node.children);
  } else if (node.only === null || node.key === key) {
    node.key = key;
    node.only = child;
  } else {
    node.children = new Map<string, Node<T>>([
      [node.key, node.only],
      [key, child],
    ]);
    node.only = null;
  }
}

export function removeChild<T>(node: Node<T>, key: string): void {
  if (key === "+") node.plus = null;
  else if (key === "#") node.hash = null;
  else if (node.only !== null) node.only = null;
  else if (node.children?.delete(key) === true && node.children.size === 1) {
    for (const [k, child] of node.children) {
      node.key = k;
      node.only = child;
    }
    node.children = null;
  }
}

export function childCount<T>(node: Node<T>): number {
  const literal = node.only !== null ? 1 : (node.children?.size ?? 0);
  return literal + (node.plus === null ? 0 : 1) + (node.hash === null ? 0 : 1);
}

export function levelAt(path: string, at: number): string {
  const end = path.indexOf("/", at);
  return end < 0 ? path.slice(at) : path.slice(at, end);
}

/** Where the next level begins when one has ended at `end`; -1 = it was the last. */
export function behind(path: string, end: number): number {
  return end >= path.length ? -1 : end + 1;
}

/** The same behind a node whose level in the parent has ended at `end`, and its skipped levels; null = the path has others there. */
export function behindNode<T>({ skip }: Node<T>, path: string, end: number): number | null {
  const at = behind(path, end);
  if (skip === null) return at;
  return commonLevels(skip, path, at) === skip.length ? behind(path, at + skip.length) : null;
}

/** Characters of `skip` that are whole levels of `path` from `at` on too; -1 = not even the first level is the same. */
export function commonLevels(skip: string, path: string, at: number): number {
  if (at < 0) return -1;
  const n = Math.min(skip.length, path.length - at);
  let i = 0;
  while (i < n && skip.charCodeAt(i) === path.charCodeAt(at + i)) i++;
  const ends = (s: string, end: number): boolean => end === s.length || s.charCodeAt(end) === SLASH;
  if (ends(skip, i) && ends(path, at + i)) return i;
  return i === 0 ? -1 : skip.lastIndexOf("/", i - 1);
}

/** The node that takes the place of `node` when only the first `same` characters of its skipped levels are common. */
export function split<T>(node: Node<T>, same: number): Node<T> {
  const skip = node.skip as string;
  const rest = same < 0 ? skip : skip.slice(same + 1);
  const key = levelAt(rest, 0);
  node.skip = key.length === rest.length ? null : rest.slice(key.length + 1);
  const above = newNode<T>(same < 0 ? null : skip.slice(0, same), null);
  setChild(above, key, node);
  return above;
}

/** A node without a value and with one child becomes one with it. */
export function join<T>(node: Node<T>): void {
  if (childCount(node) !== 1) return;
  const [key, child] = node.plus !== null ? ["+", node.plus] : node.hash !== null ? ["#", node.hash] : [node.key, node.only as Node<T>];
  node.skip = [node.skip, key, child.skip].filter((s) => s !== null).join("/");
  node.key = child.key;
  node.only = child.only;
  node.children = child.children;
  node.plus = child.plus;
  node.hash = child.hash;
  node.value = child.value;
}
