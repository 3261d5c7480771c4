import { expect, test } from "bun:test";
import { quietHost } from "../../../../server/plugins/_backend/quiet_host.ts";
import { FakeClock } from "../../../support/access.ts";
import { until } from "../../../support/until.ts";

test("its timers fire until they are taken back, and none once it has ended", async () => {
  const { host, end } = quietHost(new FakeClock());
  const fired = { kept: 0, stopped: 0, beside: 0 };
  const stop = host.every(1, () => fired.stopped++);
  host.every(1, () => fired.kept++);
  stop();
  await until(() => fired.kept > 1, "the one that is kept fires");
  end();
  const kept = fired.kept;
  // A timer beside it, of the same time, shows that theirs would have been due.
  const beside = setInterval(() => fired.beside++, 1);
  await until(() => fired.beside > 3, "time has passed");
  clearInterval(beside);
  expect([fired.kept, fired.stopped]).toEqual([kept, 0]);
});
