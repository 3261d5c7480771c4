/** Topic filters with wildcards, level by level. Filters without wildcards never get here (router.ts keeps them in a map). */

interface Node<T> {
  children: Map<string, Node<T>> | null;
  /** The entry of the filter that ends here. */
  value: T | null;
}

export class Trie<T> {
  readonly #root: Node<T> = { children: null, value: null };
  size = 0;

  set(filter: string, value: T): void {
    let node = this.#root;
    for (const level of filter.split("/")) {
      node.children ??= new Map();
      let next = node.children.get(level);
      if (!next) {
        next = { children: null, value: null };
        node.children.set(level, next);
      }
      node = next;
    }
    if (node.value === null) this.size++;
    node.value = value;
  }

  delete(filter: string): void {
    const levels = filter.split("/");
    const path: Node<T>[] = [this.#root];
    for (const level of levels) {
      const next = (path[path.length - 1] as Node<T>).children?.get(level);
      if (!next) return;
      path.push(next);
    }
    const end = path[path.length - 1] as Node<T>;
    if (end.value === null) return;
    end.value = null;
    this.size--;
    for (let i = levels.length; i > 0; i--) {
      const node = path[i] as Node<T>;
      if (node.value !== null || node.children !== null) return;
      const parent = path[i - 1] as Node<T>;
      parent.children?.delete(levels[i - 1] as string);
      if (parent.children?.size === 0) parent.children = null;
    }
  }

  /** Values of all filters that match the topic name. Wildcards at the first level do not match `$` topics [MQTT-4.7.2-1]. */
  match(topic: string): T[] {
    const found: T[] = [];
    if (this.size > 0) walk(this.#root, topic.split("/"), 0, topic.charCodeAt(0) === 36, found);
    return found;
  }
}

function walk<T>(node: Node<T>, levels: string[], depth: number, hidden: boolean, found: T[]): void {
  const children = node.children;
  if (depth === levels.length) {
    if (node.value !== null) found.push(node.value);
    // "a/#" matches "a" too: the multi-level wildcard includes the parent level.
    const hash = children?.get("#");
    if (hash !== undefined && hash.value !== null) found.push(hash.value);
    return;
  }
  if (children === null) return;
  const next = children.get(levels[depth] as string);
  if (next !== undefined) walk(next, levels, depth + 1, false, found);
  if (hidden) return;
  const plus = children.get("+");
  if (plus !== undefined) walk(plus, levels, depth + 1, false, found);
  const hash = children.get("#");
  if (hash !== undefined && hash.value !== null) found.push(hash.value);
}
