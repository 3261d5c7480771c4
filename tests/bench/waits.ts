/** How long somebody waits who wants little, while others want much. */
import { RawClient } from "../support/clients.ts";

const PING_EVERY_MS = 5;
const PATIENCE_MS = 60_000;

/** Asks again and again whether anybody is there; what it waited longest, ms. */
export async function waits(port: number): Promise<{ longest(): number; end(): void }> {
  const c = await RawClient.connected(port, "waits");
  let longest = 0;
  let isOver = false;
  void (async () => {
    while (!isOver) {
      const t0 = performance.now();
      c.send({ cmd: "pingreq" });
      await c.next("pingresp", PATIENCE_MS);
      longest = Math.max(longest, performance.now() - t0);
      await Bun.sleep(PING_EVERY_MS);
    }
  })().catch(() => {
    if (!isOver) longest = Number.POSITIVE_INFINITY;
  });
  return {
    longest: () => longest,
    end() {
      isOver = true;
      c.drop();
    },
  };
}
