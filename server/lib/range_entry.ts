/** A configuration entry of addresses and ranges. */
import { parseCidr } from "./cidr.ts";
import { type Entry, type EntryOptions, list } from "./config_entry.ts";
import { ValueError } from "./units.ts";

const EXAMPLE = "127.0.0.1,10.0.0.0/8";

/** "127.0.0.1,10.0.0.0/8"; the value is the list of their texts. */
export function ranges(doc: string, o: EntryOptions = {}): Entry<string[]> {
  const e = list(EXAMPLE, doc, o);
  const expects = `addresses and ranges separated by commas, such as ${EXAMPLE}`;
  const parse = (text: string): string[] => {
    const all = e.parse(text);
    if (all.some((range) => parseCidr(range) === null)) throw new ValueError(text, expects);
    return all;
  };
  return { ...e, expects, parse };
}
