/**
 * Part of `bun run bench auth`: what plugins that ask servers cost while nobody logs in. Messages between 50 pairs, QoS 0, with all of them loaded, in
 * turn with the same executable without any: their servers up, and what may be done to each topic asked once; then all of their servers away.
 */
import { AuthKit } from "../support/auth_kit.ts";
import { isThere, KINDS, type Kind, type Outside, withKit } from "./auth_servers.ts";
import { type Generator, runLoad } from "./generator.ts";
import { complaint, median, toMarkdown } from "./table.ts";

type Sides = Record<"loaded" | "none", AuthKit>;

/** Per second of the broker's CPU. `who`: the generator's clients. */
async function messages(generator: Generator, { broker }: AuthKit, who: string[], seconds: number): Promise<number> {
  const args = [
    "pairs",
    "--warmup",
    "1",
    "--seconds",
    String(seconds),
    "--port",
    String(broker.ports.tcp),
    "--pid",
    String(broker.pid),
    ...who,
  ];
  const run = await runLoad(generator, args);
  const wrong = complaint(run);
  if (wrong !== "") throw new Error(wrong);
  return run.msgs_per_broker_cpu_s ?? Number.NaN;
}

/** A row: the medians of both sides, and of the shares round by round, from the least to the most. */
async function row(title: string, generator: Generator, sides: Sides, who: string[], quick: boolean): Promise<string[]> {
  const rounds: Record<keyof Sides, number>[] = [];
  // The first one is the compiler's.
  for (let i = 0; i <= (quick ? 1 : 8); i++) {
    const round = { loaded: Number.NaN, none: Number.NaN };
    for (const side of i % 2 === 0 ? (["none", "loaded"] as const) : (["loaded", "none"] as const))
      round[side] = await messages(generator, sides[side], who, quick ? 1 : 2);
    if (i > 0) rounds.push(round);
  }
  const shares = rounds.map(({ loaded, none }) => loaded / none);
  const k = (side: keyof Sides): string => Math.round(median(rounds.map((r) => r[side])) / 1000).toLocaleString("en-US");
  return [
    title,
    k("loaded"),
    k("none"),
    median(shares).toFixed(3),
    `${Math.min(...shares).toFixed(2)} to ${Math.max(...shares).toFixed(2)}`,
  ];
}

async function goAway(kit: AuthKit, outsides: readonly Outside[]): Promise<void> {
  for (const { server } of outsides) await server?.kill();
  for (const { plugin } of KINDS) {
    const status = await kit.statusOf(plugin);
    if (status !== undefined && status.servers.length > 0) await kit.isDown(plugin);
  }
}

export async function benchIdle(generator: Generator, quick: boolean): Promise<string> {
  const [first, ...others] = KINDS.filter(isThere) as [Kind, ...Kind[]];
  const outsides: Outside[] = [];
  try {
    for (const kind of [first, ...others]) {
      const outside = await kind.make();
      outsides.push(outside);
      await outside.close();
    }
    const linesOf = (i: number): Outside["lines"] => ({ ...outsides[i]?.lines, on_error: "ignore" });
    const sides: Sides = { loaded: new AuthKit(first.plugin, first.prefix), none: new AuthKit("", "") };
    sides.loaded.beside = others.map(({ plugin, prefix }, i) => ({ plugin, prefix, lines: linesOf(i + 1) }));
    const rows = await withKit(sides.none, null, () =>
      withKit(sides.loaded, linesOf(0), async () => {
        const up = await row("their servers up", generator, sides, outsides[0]?.one ?? [], quick);
        await goAway(sides.loaded, outsides);
        // Whoever has a name would be refused by the web service's plugin.
        return [up, await row("away", generator, sides, [], quick)];
      }),
    );
    const missing = KINDS.filter((kind) => kind !== first && !others.includes(kind)).map(({ title }) => `, without ${title}`);
    const names = [first, ...others].map(({ title }) => title).join(", ") + missing.join("");
    const heading = ["", "k messages per broker CPU s", "with none loaded", "of that", "single rounds"];
    return [`Plugins loaded and idle (${names}): 50 pairs, QoS 0.`, "", toMarkdown([heading, ...rows])].join("\n");
  } finally {
    for (const { server } of outsides) await server?.remove();
  }
}
