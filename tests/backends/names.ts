/** User names that try to be more than names, for every server that is asked about them. */
import { expect, test } from "bun:test";
import type { AuthKit } from "../support/auth_kit.ts";

const codes = async (kit: AuthKit, names: readonly string[], password: string): Promise<[name: string, code: number][]> => {
  const found: [string, number][] = [];
  for (const name of names) found.push([name.slice(0, 20), await kit.code(name, password)]);
  return found;
};
const all = (names: readonly string[], code: number): [name: string, code: number][] => names.map((name) => [name.slice(0, 20), code]);

/** `passwords`: of those whom the names aim at. Whoever found one of them would get in with it where nobody is let in who is not known. */
export function findNobody(kit: AuthKit, names: readonly string[], passwords: readonly string[]): void {
  test("names that try to be more than names find nobody", async () => {
    await kit.withoutAnonymous(async () => {
      for (const password of passwords) expect(await codes(kit, names, password)).toEqual(all(names, 5));
    });
    // And where everybody is let in who is not known they are, whatever their password is.
    expect(await codes(kit, names, "wrong")).toEqual(all(names, 0));
  });
}
