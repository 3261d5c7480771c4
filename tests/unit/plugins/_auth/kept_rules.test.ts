/** For how long the rules of a client are kept, and what makes them be asked for anew. */
import { describe, expect, test } from "bun:test";
import type { ClientInfo } from "../../../../server/core/types.ts";
import { KeptRules } from "../../../../server/plugins/_auth/kept_rules.ts";
import type { RuleSet } from "../../../../server/plugins/_auth/rules.ts";
import { aClient, FakeClock } from "../../../support/access.ts";
import { testZone } from "../../../support/zone.ts";

const NONE: RuleSet = { rules: [], otherwise: "pass" };

function setup() {
  const clock = new FakeClock();
  const host = { clock, aclEpoch: 0 };
  const asked: PromiseWithResolvers<RuleSet>[] = [];
  const kept = new KeptRules(host, () => {
    const question = Promise.withResolvers<RuleSet>();
    asked.push(question);
    return question.promise;
  });
  /** How many questions it took so far. */
  const check = async (client: ClientInfo): Promise<number> => {
    const before = asked.length;
    const answer = kept.check(client, "publish", "t");
    if (asked.length > before) asked.at(-1)?.resolve(NONE);
    await answer;
    return asked.length;
  };
  return { clock, host, asked, kept, check };
}

describe("the rules of a client", () => {
  test("are asked for once, and again after five seconds, or the verdicts' own time where that is shorter", async () => {
    for (const [ttl, ms] of [
      [60_000, 5000],
      [2000, 2000],
    ] as const) {
      const { clock, check } = setup();
      const client = aClient({ zone: testZone({ aclCacheTtlMs: ttl }) });
      expect([await check(client), await check(client), await check({ ...client })]).toEqual([1, 1, 2]);
      clock.forward(ms - 1);
      expect(await check(client)).toBe(2);
      clock.forward(1);
      expect(await check(client)).toBe(3);
    }
  });

  test("are void with every kept verdict, or with this client's", async () => {
    const { host, kept, check } = setup();
    const [client, other] = [aClient(), aClient({ clientId: "c2" })];
    expect([await check(client), await check(other)]).toEqual([1, 2]);
    client.aclGeneration = 1;
    expect([await check(other), await check(client), await check(client)]).toEqual([2, 3, 3]);
    host.aclEpoch++;
    expect([await check(client), await check(other)]).toEqual([4, 5]);
    kept.put(client, NONE);
    client.aclGeneration = 2;
    expect(await check(client)).toBe(6);
  });

  test("an answer to a question from before is not kept", async () => {
    const { asked, kept, check } = setup();
    const client = aClient();
    const under_way = kept.check(client, "publish", "t");
    client.aclGeneration = 1;
    const anew = kept.check(client, "publish", "t");
    expect(asked).toHaveLength(2);
    for (const question of asked.toReversed()) question.resolve(NONE);
    await Promise.all([under_way, anew]);
    expect(await check(client)).toBe(2);
  });

  for (const zone of [testZone({ enableAclCache: false }), testZone({ aclCacheMaxSize: 0 })]) {
    test(`without a cache of verdicts nothing is kept, but who asks meanwhile gets the same answer: ${zone.enableAclCache}`, async () => {
      const { asked, kept, check } = setup();
      const client = aClient({ zone });
      kept.put(client, NONE);
      const both = [kept.check(client, "publish", "a"), kept.check(client, "subscribe", "b")];
      expect(asked).toHaveLength(1);
      asked[0]?.resolve(NONE);
      await Promise.all(both);
      expect([await check(client), await check(client)]).toEqual([2, 3]);
    });
  }

  test("a question that failed is put again", async () => {
    const { asked, kept, check } = setup();
    const client = aClient();
    const answer = Promise.resolve(kept.check(client, "publish", "t"));
    asked[0]?.reject(new Error("down"));
    expect(await answer.catch((err: Error) => err.message)).toBe("down");
    expect(await check(client)).toBe(2);
  });
});
