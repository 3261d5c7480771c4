import { describe, expect, test } from "bun:test";
import { Reading, SLOWED, UNREAD, WAITS } from "../../../server/core/reading.ts";
import { TestTransport } from "../../support/test_broker.ts";

describe("whether a connection is read", () => {
  test("not while there is any reason to wait, again after the last", () => {
    const transport = new TestTransport();
    const reading = new Reading(transport);
    for (const reason of [WAITS, UNREAD, SLOWED]) reading.pause(reason);
    for (const reason of [SLOWED, WAITS]) {
      reading.resume(reason);
      reading.resume(reason);
      expect([transport.paused, reading.pausedFor(reason), reading.pausedFor(UNREAD)]).toEqual([true, false, true]);
    }
    reading.resume(UNREAD);
    expect(transport.paused).toBe(false);
  });

  test("never again once it is closed", () => {
    const transport = new TestTransport();
    const reading = new Reading(transport);
    reading.pause(SLOWED);
    reading.close();
    reading.resume(SLOWED);
    expect(transport.paused).toBe(true);
  });
});
