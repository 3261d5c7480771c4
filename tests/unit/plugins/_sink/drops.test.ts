/** What found no room is told; what is left at the end is counted. */
import { expect, test } from "bun:test";
import { Drops } from "../../../../server/plugins/_sink/drops.ts";
import { FakeClock, recordingLog } from "../../../support/access.ts";

test("rows that a queue still has at its end are counted, and nobody is told that it is full", () => {
  const log = recordingLog();
  const alarms: unknown[] = [];
  const host = { clock: new FakeClock(), log, alarm: (_: string, what: unknown) => void alarms.push(what) };
  const drops = new Drops(host as never, "dropped");
  drops.add(3, "a server", false);
  expect([drops.count, alarms, log.lines]).toEqual([3, [], []]);
  drops.add(2, "a server");
  expect([drops.count, alarms.length, log.lines.length]).toEqual([5, 1, 1]);
  drops.atEnd(0, "a server");
  drops.atEnd(4, "a server");
  expect([drops.count, alarms.length, log.lines.length]).toEqual([9, 1, 2]);
});
