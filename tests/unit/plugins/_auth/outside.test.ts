/** Nobody can be asked (`on_error`): what clients hear at CONNECT, and what counts as a guess. */
import { describe, expect, test } from "bun:test";
import { watchClient } from "../../../../server/core/access/trace.ts";
import { askOutside, type OnError, type OutsideAuth, passesOn } from "../../../../server/plugins/_auth/outside.ts";
import { BackendError } from "../../../../server/plugins/_backend/errors.ts";
import { aClient } from "../../../support/access.ts";
import { TestKit } from "../../../support/test_broker.ts";
import { testZone } from "../../../support/zone.ts";

const noVerdicts = () => ({ allowed: 0, denied: 0, ignored: 0, errors: 0 });

/** A broker whose one authentication plugin has a server that is away while `isDown`, and does not know anybody else. */
function down(onError: OnError, allowAnonymous: boolean) {
  const kit = new TestKit({ zone: { allowAnonymous, authFailureLimit: { count: 3, intervalMs: 30_000 } } });
  const state = { isDown: true };
  const counts = { authentication: noVerdicts(), acl: noVerdicts() };
  const authenticate = () => {
    if (state.isDown) throw new BackendError("down", "MySQL at 10.0.0.1 is down");
    return null;
  };
  askOutside({ hook: (point, fn, filter) => kit.hooks.add(point, "db", fn, 0, filter) }, () => ({ authenticate }), {
    onError: () => onError,
    passesOn,
    counts,
    takesHalf: false,
    begins: () => () => {},
  });
  /** CONNACK's code, and what it says. */
  const tries = (version: 4 | 5, who: { username?: string; password?: Buffer } = { username: "joe", password: Buffer.from("p") }) => {
    const packets = kit.client(version, "10.6.6.6").connect("dev", who).take();
    const { reasonCode, returnCode, properties } = packets.find((p) => p.cmd === "connack") as {
      reasonCode?: number;
      returnCode?: number;
      properties?: { reasonString?: string };
    };
    return [reasonCode ?? returnCode, properties?.reasonString];
  };
  return { kit, state, counts, tries };
}

test("a plugin hears whether its word is the last one: nobody is asked behind it, nobody is let in, and somebody really comes", () => {
  const heard: (boolean | undefined)[] = [];
  const hear = (allowAnonymous: boolean, isLast: boolean, explained = false): void => {
    const authenticate = (...[, , , lastWord]: Parameters<OutsideAuth["authenticate"]>) => {
      heard.push(lastWord);
      return null;
    };
    const counts = { authentication: noVerdicts(), acl: noVerdicts() };
    const hooks = new Map<string, (...args: unknown[]) => unknown>();
    const hook = (point: string, fn: unknown) => void hooks.set(point, fn as never);
    const asking = { onError: (): OnError => "deny", passesOn, counts, takesHalf: false, begins: () => () => {} } as const;
    askOutside({ hook } as never, () => ({ authenticate }), asking);
    const client = aClient({ zone: testZone({ allowAnonymous }) });
    if (explained) watchClient(client);
    hooks.get("client.authenticate")?.(client, { password: new Uint8Array(1), isLast });
  };
  hear(false, true);
  hear(false, false);
  hear(true, true);
  hear(false, true, true);
  expect(heard).toEqual([true, false, false, false]);
});

const AWAY = "authentication is not available now";

describe("a server is down", () => {
  for (const onError of ["deny", "ignore"] as const)
    test(`${onError}, without allow_anonymous: devices hear that the server is not available, and none has guessed`, () => {
      const { kit, state, counts, tries } = down(onError, false);
      for (let i = 0; i < 10; i++)
        expect([tries(4), tries(5)]).toEqual([
          [3, undefined],
          [0x88, AWAY],
        ]);
      expect(kit.metrics.extra()).toMatchObject({ "access/auth/failure": 20, "access/auth/error": 20, "access/auth/limited": 0 });
      expect(counts.authentication.errors).toBe(20);
      state.isDown = false;
      for (let i = 0; i < 3; i++) expect(tries(5)).toEqual([0x87, "not authorized"]);
      expect(tries(5)[0]).toBe(0x9f);
    });

  test("ignore, with allow_anonymous: who comes is let in, as with EMQ X 3.1", () => {
    const { kit, tries } = down("ignore", true);
    expect([tries(4)[0], tries(5)[0]]).toEqual([0, 0]);
    expect(kit.metrics).toMatchObject({ authAnonymous: 2, authFailure: 0, authError: 0 });
  });

  test("who has come with half of it was not to be asked about: that is as ever", () => {
    const { tries } = down("ignore", false);
    expect(tries(5, { username: "joe" })).toEqual([0x86, "not authorized"]);
  });
});
