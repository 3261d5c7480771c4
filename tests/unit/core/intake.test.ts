import { describe, expect, test } from "bun:test";
import { Intake, PAUSED } from "../../../server/core/intake.ts";
import { TestTransport } from "../../support/test_broker.ts";

describe("whether a connection is read", () => {
  test("not while there is any reason to wait, again after the last", () => {
    const transport = new TestTransport();
    const intake = new Intake(transport);
    for (const reason of [PAUSED.HANDLER, PAUSED.UNREAD, PAUSED.LIMIT]) intake.pause(reason);
    for (const reason of [PAUSED.LIMIT, PAUSED.HANDLER]) {
      intake.resume(reason);
      intake.resume(reason);
      expect([transport.paused, intake.paused(reason), intake.paused(PAUSED.UNREAD)]).toEqual([true, false, true]);
    }
    intake.resume(PAUSED.UNREAD);
    expect(transport.paused).toBe(false);
  });

  test("silence says nothing about the client while it is us who do not listen", () => {
    const intake = new Intake(new TestTransport());
    expect(intake.deaf).toBe(false);
    for (const reason of [PAUSED.HANDLER, PAUSED.LIMIT, PAUSED.MEMORY]) {
      intake.pause(reason);
      expect(intake.deaf).toBe(true);
      intake.resume(reason);
    }
    intake.pause(PAUSED.UNREAD);
    expect(intake.deaf).toBe(false);
  });

  test("never again once it is closed; what was kept is gone", () => {
    const transport = new TestTransport();
    const intake = new Intake(transport);
    intake.keep(Buffer.from("abc"));
    intake.keep(Buffer.from("de"));
    expect(intake.bytes).toBe(5);
    intake.pause(PAUSED.LIMIT);
    intake.close();
    intake.resume(PAUSED.LIMIT);
    expect([transport.paused, intake.bytes, intake.take()]).toEqual([true, 0, []]);
  });
});
