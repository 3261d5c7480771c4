import { describe, expect, test } from "bun:test";
import { Links } from "../../../../server/plugins/_backend/links.ts";

interface Made {
  n: number;
  isAlive: boolean;
  closed: number;
}

/** Connections that are made when `let` is called. */
function kit(n: number) {
  const made: Made[] = [];
  const waiting: { resolve(c: Made): void; reject(err: Error): void }[] = [];
  const links = new Links<Made>(n, {
    open: () => new Promise((resolve, reject) => void waiting.push({ resolve, reject })),
    alive: (c) => c.isAlive,
    close: (c) => void c.closed++,
  });
  const open = (): Made => {
    const c = { n: made.length, isAlive: true, closed: 0 };
    made.push(c);
    waiting.shift()?.resolve(c);
    return c;
  };
  return { links, made, waiting, open, refuse: (text: string) => waiting.shift()?.reject(new Error(text)) };
}

describe("connections of a driver", () => {
  test("one caller makes it for all who wait; afterwards it is there", async () => {
    const { links, waiting, open } = kit(1);
    const [a, b] = [links.ready(), links.ready()];
    expect(waiting).toHaveLength(1);
    const c = open();
    expect([await a, await b, await links.ready()]).toEqual([c, c, c]);
    expect(waiting).toHaveLength(0);
  });

  test("several are used in turn", async () => {
    const { links, open } = kit(2);
    const asked = [links.ready(), links.ready()];
    const [first, second] = [open(), open()];
    expect(await Promise.all(asked)).toEqual([first, second]);
    expect([await links.ready(), await links.ready(), await links.ready()].map((c) => c.n)).toEqual([0, 1, 0]);
  });

  test("so many calls in a row go to the same one", async () => {
    let made = 0;
    const links = new Links<number>(2, { open: async () => made++, alive: () => true, close: () => {} }, 3);
    const asked: number[] = [];
    for (let i = 0; i < 8; i++) asked.push(await links.ready());
    expect(asked).toEqual([0, 0, 0, 1, 1, 1, 0, 0]);
  });

  test("what is made in the place of a lost one has its number", async () => {
    const numbers: number[] = [];
    const alive = new Set<object>();
    const links = new Links<{ n: number }>(3, {
      async open(n) {
        numbers.push(n);
        const made = { n };
        alive.add(made);
        return made;
      },
      alive: (c) => alive.has(c),
      close: () => {},
    });
    const all = [await links.ready(), await links.ready(), await links.ready()];
    alive.delete(all[1] as object);
    for (let i = 0; i < 6; i++) await links.ready();
    expect(numbers).toEqual([0, 1, 2, 1]);
  });

  test("one that has nothing under way comes before one that has", async () => {
    const busy = new Set<number>();
    const links = new Links<number>(3, { open: async (n) => n, alive: () => true, close: () => {}, busy: (c) => busy.has(c) });
    for (let n = 0; n < 3; n++) expect(await links.ready()).toBe(n);
    busy.add(0).add(1);
    expect([await links.ready(), await links.ready()]).toEqual([2, 2]);
    // All have: in turn as ever.
    busy.add(2);
    const asked = [await links.ready(), await links.ready(), await links.ready()];
    expect(asked.sort()).toEqual([0, 1, 2]);
  });

  test("lost ones are told of once, and let go", async () => {
    const { links, made, open } = kit(3);
    const asked = [links.ready(), links.ready()];
    const [first, second] = [open(), open()];
    await Promise.all(asked);
    expect(links.lost()).toBe(false);
    first.isAlive = second.isAlive = false;
    expect([links.lost(), links.lost(), ...made.map((c) => c.closed)]).toEqual([true, false, 1, 1]);
  });

  test("what was lost is closed and made anew", async () => {
    const { links, open } = kit(1);
    const asked = links.ready();
    const lost = open();
    await asked;
    lost.isAlive = false;
    const again = links.ready();
    const next = open();
    expect([await again, lost.closed, next.closed]).toEqual([next, 1, 0]);
  });

  test("all who wait hear why it cannot be made; the next one tries again", async () => {
    const { links, open, refuse } = kit(1);
    const asked = [links.ready(), links.ready()];
    refuse("no route");
    expect((await Promise.allSettled(asked)).map((r) => (r as PromiseRejectedResult).reason.message)).toEqual(["no route", "no route"]);
    const again = links.ready();
    const c = open();
    expect(await again).toBe(c);
  });

  test("closed: what there is goes, and what is being made as soon as it is there", async () => {
    const { links, open } = kit(2);
    const [a, b] = [links.ready(), links.ready()];
    const first = open();
    await a;
    links.close();
    const late = open();
    await expect(b).rejects.toThrow("closed meanwhile");
    expect([first.closed, late.closed]).toEqual([1, 1]);
  });
  test("closed: what is being made is told, and nothing is made any more", async () => {
    const told: string[] = [];
    const links = new Links<object>(1, {
      open: (_, ended) =>
        new Promise((_, reject) => ended.addEventListener("abort", () => reject(new Error(`given up: ${ended.reason.message}`)))),
      alive: () => true,
      close: () => void told.push("closed"),
    });
    const asked = links.ready();
    links.close();
    await expect(asked).rejects.toThrow("given up: closed meanwhile");
    await expect(links.ready()).rejects.toThrow("closed meanwhile");
    expect(told).toEqual([]);
  });
});
