/**
 * The servers of a cluster, each with a breaker of its own: some may be silent while the others answer. Whoever's key is at a silent one is
 * refused, at once as soon as that is known, and the others do not wait behind it. Nobody asks a silent one but, now and then, one of those whose
 * keys are there.
 */
import type { Cluster, Command } from "ioredis";
import type { MonoMs } from "../../lib/time.ts";
import { Breaker } from "../_backend/breaker.ts";

/** One of the cluster's servers is away; others are there. */
export class ShardAway extends Error {
  override readonly name = "ShardAway";
}

const BREAKER = { threshold: 3, pauseMs: 250, pauseMaxMs: 1000, random: Math.random };

export class Shards {
  /** By "host:port". */
  readonly #breakers = new Map<string, Breaker>();

  constructor(
    private readonly now: () => MonoMs,
    /** The server said no to this one question. */
    private readonly isRefusal: (err: unknown) => boolean,
  ) {}

  /** @throws ShardAway, or what `ask` rejects with if that is no server's fault, or all of them are away */
  async ask<T>(cluster: Cluster, command: Command, ask: () => Promise<T>): Promise<T> {
    const shard = cluster.slots[command.getSlot()]?.[0];
    // Without a key anybody may answer; of a slot that nobody has the cluster itself says so.
    if (shard === undefined) return ask();
    const breaker = this.#of(shard);
    if (breaker.probeDue(this.now())) breaker.halfOpen(this.now());
    if (!breaker.admits()) throw this.#away(cluster, new Error(`${shard} does not answer`));
    try {
      const answer = await ask();
      breaker.succeeded();
      return answer;
    } catch (err) {
      if (this.isRefusal(err)) {
        breaker.succeeded();
        throw err;
      }
      breaker.failed(this.now());
      throw this.#away(cluster, new Error(`${shard}: ${err instanceof Error ? err.message : String(err)}`));
    }
  }

  #away(cluster: Cluster, err: Error): Error {
    const known = cluster.nodes("master").map(({ options }) => `${options.host}:${options.port}`);
    const others = known.some((shard) => this.#breakers.get(shard)?.open !== true);
    return others ? new ShardAway(err.message) : err;
  }

  #of(shard: string): Breaker {
    const known = this.#breakers.get(shard) ?? new Breaker(BREAKER, this.now());
    this.#breakers.set(shard, known);
    return known;
  }
}
