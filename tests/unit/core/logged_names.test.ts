/** Names that are tokens let in whoever reads them: no line of the log has one, whatever becomes of its client. */
import { expect, test } from "bun:test";
import { TestKit } from "../../support/test_broker.ts";

const TOKEN = `${btoa('{"alg":"HS256"}')}.${btoa('{"a":1}')}.abc-_`.replaceAll("=", "");
const SHOWN = `${TOKEN.slice(0, 8)}… (a token)`;

/** A broker that takes user names, which are tokens, for client ids. */
function broker(isGood: () => boolean) {
  const kit = new TestKit({
    zone: {
      useUsernameAsClientid: true,
      authFailureLimit: { count: 1, intervalMs: 60_000 },
      enableFlappingDetect: true,
      flappingThreshold: { count: 3, intervalMs: 60_000 },
    },
  });
  const answer = () => (isGood() ? ({ allow: true } as const) : ({ allow: false, code: 0x87, why: "expired" } as const));
  kit.hooks.add("client.authenticate", "jwt", answer, 0, { secretName: () => true });
  const come = () => kit.client(5).connect("c", { username: TOKEN });
  /** Message and client id of each line that names a client. */
  const lines = () => kit.log.lines.filter((l) => l.fields?.clientid !== undefined).map((l) => [l.message, l.fields?.clientid]);
  return { kit, come, lines };
}

test("who is refused, and who is not asked about any more", () => {
  const { kit, come, lines } = broker(() => false);
  come();
  come();
  expect(lines()).toEqual([
    ["connection refused", SHOWN],
    ["too many failed authentications: not asked for a while", SHOWN],
    ["connection refused", SHOWN],
  ]);
  expect(JSON.stringify(kit.log.lines)).not.toContain(TOKEN);
});

test("who breaks the protocol, comes and goes too often, or meets a fault of a plugin's", () => {
  const { kit, come, lines } = broker(() => true);
  // No topic and no body.
  come().raw([0x30, 0]);
  come().drop();
  kit.hooks.add("client.authenticate", "jwt", () => ({ allow: true, mountpoint: 5 as never }));
  kit.broker.banned.remove("client_id", TOKEN);
  come();
  expect(lines()).toEqual([
    ["connection closed", SHOWN],
    ["client is flapping: banned", SHOWN],
    ["packet handler failed", SHOWN],
  ]);
  expect(JSON.stringify(kit.log.lines)).not.toContain(TOKEN);
});
