import { expect, test } from "bun:test";
import { TestKit } from "../../../support/test_broker.ts";

test("a filter that a hook has spoilt is refused, with a mountpoint as without one", () => {
  for (const mountpoint of ["", "m/"]) {
    const kit = new TestKit({ zone: { mountpoint } });
    kit.hooks.add("client.subscribe", "spoils", (_client, topics) => {
      for (const t of topics) if (t.filter === "bad") t.filter = "a/#/b";
    });
    const c = kit.connected("c", 5).subscribe("bad");
    expect(c.take()).toMatchObject([{ cmd: "suback", granted: [0x8f] }]);
    expect([c.subscribe("good").take()[0], kit.log.errors]).toMatchObject([{ cmd: "suback", granted: [0] }, []]);
  }
});
