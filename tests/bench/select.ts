/** Which of the scenarios and brokers are meant. */

/** Those whose names begin with one of `names` (separated by commas), each once and in the order of `all`; all when there are no names. */
export function chosen<T>(all: readonly T[], names: string | undefined, nameOf: (t: T) => string, what: string): T[] {
  if (names === undefined) return [...all];
  const found = new Set<T>();
  for (const name of names.split(",")) {
    const some = all.filter((t) => nameOf(t).toLowerCase().startsWith(name.toLowerCase()));
    if (some.length === 0) throw new Error(`no ${what} ${name}; there are: ${[...new Set(all.map(nameOf))].join(", ")}`);
    for (const t of some) found.add(t);
  }
  return all.filter((t) => found.has(t));
}
