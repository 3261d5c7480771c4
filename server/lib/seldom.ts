/**
 * Functions that run about once for each connection, and are kept from JavaScriptCore's last compiler tier (`bun:jsc`, done by the
 * composition root). That tier is slow, and takes on whatever has run some thousand times: in a storm of 20,000 connects it took a third
 * of all CPU time, more than its code saves in 100,000 of them. The tiers before it are enough for them.
 */

// biome-ignore lint/suspicious/noExplicitAny: whatever can be called.
type Fn = (...args: any[]) => unknown;

const all: Fn[] = [];

export function seldom(...functions: Fn[]): void {
  all.push(...functions);
}

/** A class: its constructor, and of its methods and getters those named, or all. What is private must be so by the type alone, not by `#`. */
export function seldomOf(type: { readonly name: string; readonly prototype: object }, ...names: string[]): void {
  all.push(type as unknown as Fn);
  const own = Object.getOwnPropertyDescriptors(type.prototype) as Record<string, PropertyDescriptor>;
  for (const name of names.length > 0 ? names : Object.keys(own)) {
    const found = own[name];
    if (found === undefined) throw new Error(`${type.name} has no method ${name}`);
    for (const fn of [found.get, found.value]) if (typeof fn === "function" && fn !== type) all.push(fn);
  }
}

/** Every one named so far. */
export const seldomRun = (): readonly Fn[] => all;
