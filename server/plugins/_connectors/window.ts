/** So many at a time, begun in order. */
import type { Missing } from "./connector.ts";
import { NOTHING } from "./connector.ts";

/** Each item's failure by its position; never rejects. */
export async function inWindow<I>(items: readonly I[], most: number, send: (item: I) => Promise<void>): Promise<Missing> {
  const missing = new Map<number, unknown>();
  const under = new Set<Promise<void>>();
  for (const [i, item] of items.entries()) {
    if (under.size >= most) await Promise.race(under);
    const one: Promise<void> = send(item)
      .catch((err: unknown) => void missing.set(i, err))
      .finally(() => under.delete(one));
    under.add(one);
  }
  await Promise.all(under);
  return missing.size === 0 ? NOTHING : missing;
}
