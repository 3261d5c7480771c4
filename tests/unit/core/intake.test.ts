import { describe, expect, test } from "bun:test";
import { Intake, PAUSED } from "../../../server/core/intake.ts";
import { TestTransport } from "../../support/test_broker.ts";

const OWNER = { listens() {} };

/** Counts what it is told. */
class Watched extends TestTransport {
  watches = 0;
  resumes = 0;
  watch(): void {
    this.watches++;
  }
  override resume(): void {
    super.resume();
    this.resumes++;
  }
}

describe("while a handler waits", () => {
  test("nothing is read, or a little: then as long as that", () => {
    const transport = new Watched();
    const intake = new Intake(transport, OWNER);
    intake.wait(0);
    expect([transport.paused, transport.watches]).toEqual([true, 0]);
    intake.resume(PAUSED.HANDLER);
    intake.wait(10);
    intake.keep(Buffer.alloc(9));
    expect([transport.paused, transport.watches]).toEqual([false, 1]);
    intake.keep(Buffer.alloc(1));
    expect([transport.paused, intake.bytes]).toEqual([true, 10]);
    intake.resume(PAUSED.HANDLER);
    expect(transport.paused).toBe(false);
    // What is there already counts.
    intake.wait(10);
    expect([transport.paused, transport.watches]).toEqual([true, 1]);
  });

  test("the transport hears when the wait is over, though it was not paused; and afterwards no more is counted", () => {
    const transport = new Watched();
    const heard: string[] = [];
    const intake = new Intake(transport, { listens: () => void heard.push("listens") });
    intake.wait(10);
    intake.resume(PAUSED.UNREAD);
    expect([transport.resumes, heard]).toEqual([0, []]);
    intake.resume(PAUSED.HANDLER);
    intake.resume(PAUSED.HANDLER);
    intake.keep(Buffer.alloc(100));
    expect([transport.resumes, heard, transport.paused]).toEqual([1, ["listens"], false]);
  });

  test("another reason goes on its own way: watched again when it is gone, not read as long as it is there", () => {
    const transport = new Watched();
    const intake = new Intake(transport, OWNER);
    intake.pause(PAUSED.MEMORY);
    intake.wait(10);
    expect([transport.paused, transport.watches]).toEqual([true, 0]);
    intake.resume(PAUSED.MEMORY);
    expect([transport.paused, transport.watches]).toEqual([false, 1]);
    intake.pause(PAUSED.MEMORY);
    intake.resume(PAUSED.HANDLER);
    expect(transport.paused).toBe(true);
    intake.resume(PAUSED.MEMORY);
    expect([transport.paused, transport.watches]).toEqual([false, 1]);
  });
});

describe("whether a connection is read", () => {
  test("not while there is any reason to wait, again after the last", () => {
    const transport = new TestTransport();
    const intake = new Intake(transport, OWNER);
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
    const intake = new Intake(new TestTransport(), OWNER);
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
    const intake = new Intake(transport, OWNER);
    intake.keep(Buffer.from("abc"));
    intake.keep(Buffer.from("de"));
    expect(intake.bytes).toBe(5);
    intake.pause(PAUSED.LIMIT);
    intake.close();
    intake.resume(PAUSED.LIMIT);
    expect([transport.paused, intake.bytes, intake.take()]).toEqual([true, 0, []]);
  });

  test("small chunks are put together: what waits is few pieces, whatever it came in", () => {
    const intake = new Intake(new TestTransport(), OWNER);
    const all = Buffer.from(Array.from({ length: 20_000 }, (_, i) => i & 255));
    const sizes = [1, 1, 3, 200, 60, 4095, 4096, 1, 5000, 2];
    for (let at = 0, i = 0; at < all.length; i++) {
      const n = sizes[i % sizes.length] as number;
      intake.keep(all.subarray(at, at + n));
      at += n;
    }
    expect(intake.bytes).toBe(all.length);
    expect(Buffer.concat(intake.take())).toEqual(all);
    for (let i = 0; i < all.length; i++) intake.keep(all.subarray(i, i + 1));
    const pieces = intake.take();
    expect(Buffer.concat(pieces)).toEqual(all);
    expect(pieces.length).toBeLessThan(6);
    expect([intake.bytes, intake.take()]).toEqual([0, []]);
  });

  test("nothing is kept for a closed one", () => {
    const intake = new Intake(new TestTransport(), OWNER);
    intake.close();
    intake.keep(Buffer.from("x"));
    expect([intake.bytes, intake.take()]).toEqual([0, []]);
  });
});
