/** Topics as they lie in a packet, against a naive matcher: filters that begin alike come and go, names are near to them. */
import { expect, test } from "bun:test";
import { Router } from "../../../server/core/router.ts";
import type { Session } from "../../../server/core/session.ts";
import { Subscription } from "../../../server/core/subscription.ts";
import { hasWildcard, topicMatches } from "../../../server/mqtt/topic.ts";

const LEVELS = ["a", "b", "ab", "abc", "", "x1", "0123456789", "load", "é", "long-level-name-that-is-long", "p", "$x"];

class World {
  readonly router = new Router();
  readonly subs = new Map<string, Subscription>();
  readonly prefix: string[];
  last = 0;

  constructor(readonly rnd: (n: number) => number) {
    this.prefix = Array.from({ length: rnd(5) }, () => this.pick(LEVELS));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.rnd(list.length)] as T;
  }

  /** The levels that all begin with, now and then bent or cut. */
  beginning(others: readonly string[]): string[] {
    const levels = [...this.prefix];
    if (levels.length > 0 && this.rnd(12) === 0) levels[this.rnd(levels.length)] = this.pick(others);
    if (this.rnd(10) === 0) levels.length = this.rnd(levels.length + 1);
    return levels;
  }

  filter(): string {
    const f = this.beginning([...LEVELS, "+"]);
    for (let n = this.rnd(4); n > 0; n--) f.push(this.rnd(3) === 0 ? "+" : this.pick(LEVELS));
    if (this.rnd(4) === 0) f.push("#");
    return f.join("/") || "a";
  }

  topic(): string {
    const t = this.beginning(LEVELS);
    for (let n = this.rnd(5); n > 0; n--) t.push(this.pick(LEVELS));
    return t.join("/") || "z";
  }

  change(): void {
    const known = [...this.subs.values()];
    if (known.length > 0 && this.rnd(3) === 0) {
      const s = this.pick(known);
      this.router.remove(s);
      this.subs.delete(s.filter);
      return;
    }
    const filter = this.filter();
    if (this.subs.has(filter)) return;
    const s = new Subscription({ mergeMark: 0, mergeAt: 0 } as unknown as Session, filter, null, {
      qos: 0,
      nl: false,
      rap: false,
      rh: 0,
      subId: 0,
    });
    this.subs.set(filter, s);
    this.router.add(s);
  }

  /** Whom a message reaches, in a packet with something before and behind the name. */
  reached(topic: string): string[] {
    const before = Buffer.from("/x/a/b//".slice(0, this.rnd(9)));
    const name = Buffer.from(topic);
    const packet = Buffer.concat([before, name, Buffer.from(this.pick(["", "/", "a/b", "payload"]))]);
    const { length } = before;
    const named = topic.startsWith("$") ? null : this.router.named(packet, length, length + name.length, this.last);
    const route = named ?? this.pick([() => this.router.passing(topic), () => this.router.once(topic), () => this.router.route(topic)])();
    this.last = route.hash;
    expect(route.topic).toBe(topic);
    return route.subs.map((s) => s.filter).toSorted();
  }

  naive(topic: string): string[] {
    return [...this.subs.keys()].filter((f) => (hasWildcard(f) ? topicMatches(topic, f) : f === topic)).toSorted();
  }
}

function random(seed: number): (n: number) => number {
  let x = seed * 2_654_435_761 + 1;
  return (n) => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((x / 2 ** 32) * n);
  };
}

test("150 worlds of 300 steps", () => {
  const rnd = random(1);
  let matched = 0;
  for (let n = 0; n < 150; n++) {
    const world = new World(rnd);
    for (let step = 0; step < 300; step++) {
      if (rnd(12) === 0) world.change();
      const topic = world.topic();
      const reached = world.reached(topic);
      expect({ topic, reached }).toEqual({ topic, reached: world.naive(topic) });
      if (reached.length > 0) matched++;
    }
  }
  expect(matched).toBeGreaterThan(10_000);
});
