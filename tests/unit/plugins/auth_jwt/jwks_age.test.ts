/** How long keys from a URL let in while the URL is away. */
import { afterAll, expect, test } from "bun:test";
import { authJwt } from "../../../../server/plugins/auth_jwt/index.ts";
import { until } from "../../../support/until.ts";
import { logIn, removeTempDirs, running } from "../harness.ts";
import { jwk, keys, pair, signed } from "./keys.ts";

afterAll(removeTempDirs);

const HOUR = 3_600_000;
const LIMIT = "10 times auth.jwt.jwks.refresh_interval, at least a day";

for (const [interval, hours] of [
  ["5m", 24],
  ["1d", 240],
] as const)
  test(`fetched every ${interval}, and the URL away: they are good for ${hours} hours, then let in nobody until it is back`, async () => {
    const a = pair();
    const k = keys();
    k.set(jwk(a.publicKey, { kid: "a" }));
    const settings = {
      "auth.jwt.secret": "",
      "auth.jwt.jwks": k.url,
      "auth.jwt.jwks.timeout": "10s",
      "auth.jwt.jwks.refresh_interval": interval,
    };
    const { kit, manager } = await running(authJwt, { settings });
    try {
      kit.zone.allowAnonymous = false;
      kit.zone.authFailureLimit = { count: 1, intervalMs: 60_000 };
      const code = (): Promise<number> => logIn(kit, "joe", signed(a.privateKey, { kid: "a" }));
      const becomes = (wanted: string): Promise<void> =>
        until(() => manager.report("emqx_auth_jwt")?.servers[0]?.state === wanted, `it is ${wanted}`);
      const alarm = (): unknown => (kit.alarms.get("emqx_auth_jwt_keys")?.desc as { summary: string } | undefined)?.summary;
      await becomes("up");
      k.state.status = 500;
      kit.clock.time += (hours - 1) * HOUR;
      // It is looked at.
      kit.pass(100);
      await becomes("down");
      expect(await code()).toBe(0);
      const away = "http 500; see auth.jwt.jwks; the keys that were fetched";
      expect(alarm()).toBe(`${away} ${hours - 1} h ago let in until they are ${hours} h old (${LIMIT})`);

      kit.clock.time += HOUR;
      const old = `${away} ${hours} h ago are too old to let in anybody: ${hours} h (${LIMIT})`;
      // No wrong password.
      for (let i = 0; i < 3; i++) expect(await code()).toBe(0x88);
      expect(alarm()).toBe(old);
      const refused = kit.log.lines.findLast((line) => line.message === "connection refused");
      expect(refused?.fields?.why).toEndWith(` is down: ${old}`);

      kit.clock.time += 6 * HOUR;
      k.state.status = 200;
      kit.pass(2000);
      await becomes("up");
      expect([await code(), alarm()]).toEqual([0, undefined]);
      // What was, not what is behind it.
      const past = kit.alarms.history().find((a) => a.id === "emqx_auth_jwt_keys")?.desc as { summary: string } | undefined;
      expect(past?.summary).toBe(`${away} ${hours + 6} h ago are too old to let in anybody: ${hours} h (${LIMIT})`);
    } finally {
      await manager.unload("emqx_auth_jwt");
      await k.server.stop(true);
    }
  });
