/** Battery: deliveries, the messages they share, identifiers that wait for PUBREL. */
import { describe, expect, test } from "bun:test";
import type { Message } from "../../../server/core/message.ts";
import type { StoredMessage } from "../../../server/core/ports.ts";
import { ALL_PROPERTIES, bytes, message, meta, NOW, only, plain, revive, type StoreHarness } from "./fixtures.ts";

export function deliveryBattery(name: string, h: StoreHarness): void {
  describe(`${name}: deliveries`, () => {
    test("come back as given: properties in order, binary data, empty payload, large numbers", () => {
      let store = h.open();
      const key = store.sessions.open(0, meta("a"));
      const rich = message("a/ü/❤", bytes(0, 128, 255), ALL_PROPERTIES, 2);
      rich.retain = true;
      const empty = message("empty", bytes());
      empty.username = null;
      empty.expiresAt = 0;
      const big = 2 ** 40;
      store.sessions.enqueue(key, 1, rich, 1, 0, [5, 268_435_455], true);
      store.sessions.enqueue(key, 2, empty, 2, 65_535, [1], false);
      store.sessions.enqueue(key, big, rich, 2, 9, null, false);
      store = h.restart(store);
      const session = only(store);
      const fields = { from: "publisher", timestamp: NOW };
      const richRow = {
        ...fields,
        topic: "a/ü/❤",
        payload: bytes(0, 128, 255),
        qos: 2,
        retain: true,
        username: "bob",
        expiresAt: NOW + 60_000,
        properties: ALL_PROPERTIES,
      };
      const emptyRow = {
        ...fields,
        topic: "empty",
        payload: bytes(),
        qos: 1,
        retain: false,
        username: null,
        expiresAt: 0,
        properties: null,
      };
      expect(plain(session)).toMatchObject({
        deliveries: [
          { seq: 1, qos: 1, state: "queued", packetId: 0, subIds: [5, 268_435_455], retain: true, message: richRow },
          { seq: 2, qos: 2, state: "sent", packetId: 65_535, subIds: [1], retain: false, message: emptyRow },
          { seq: big, qos: 2, state: "sent", packetId: 9, subIds: null, retain: false, message: richRow },
        ],
      } as never);
      expect(session.deliveries[0]?.message).toBe(session.deliveries[2]?.message as StoredMessage);
      store.close();
    });

    for (const commitBetween of [false, true]) {
      test(`states: queued, sent, released, done ${commitBetween ? "in four batches" : "in one batch"}`, () => {
        let store = h.open();
        const step = (): void => {
          if (commitBetween) store.commit();
        };
        const key = store.sessions.open(0, meta("a"));
        const [q, s, r, d] = ["q", "s", "r", "d"].map((t) => message(t, bytes(1), null, 2)) as [Message, Message, Message, Message];
        for (const [i, m] of [q, s, r, d].entries()) store.sessions.enqueue(key, i + 1, m, 2, 0, null, i === 2);
        step();
        for (const seq of [2, 3, 4]) store.sessions.sent(key, seq, 100 + seq);
        step();
        for (const seq of [3, 4]) store.sessions.released(key, seq);
        step();
        store.sessions.done(key, 4, d);
        store.commit();
        expect(h.counts(store)).toMatchObject({ deliveries: 3, messages: 3 });
        store = h.crash(store);
        expect(only(store).deliveries.map((x) => [x.seq, x.qos, x.state, x.packetId, x.retain])).toEqual([
          [1, 2, "queued", 0, false],
          [2, 2, "sent", 102, false],
          [3, 2, "released", 103, true],
        ]);
        store.close();
      });
    }

    test("one message for many sessions is one row until the last delivery is done", () => {
      let store = h.open();
      const m = message("fan");
      const keys = Array.from({ length: 50 }, (_, i) => store.sessions.open(0, meta(`c${i}`)));
      for (const key of keys) store.sessions.enqueue(key, 1, m, 1, 0, null, false);
      store.commit();
      expect(m.storeRefs).toBe(50);
      expect(h.counts(store)).toMatchObject({ deliveries: 50, messages: 1 });
      store = h.crash(store);
      const loaded = store.sessions.load();
      const live = revive(loaded);
      expect(live.size).toBe(1);
      const again = [...live.values()][0] as Message;
      expect(again.storeRefs).toBe(50);
      keys.forEach((key, i) => {
        store.sessions.done(key, 1, again);
        if (i === 20) store.commit();
        if (i === 48) {
          store.commit();
          expect(h.counts(store)).toMatchObject({ deliveries: 1, messages: 1 });
        }
      });
      store.commit();
      expect(again.storeId).toBe(0);
      expect(h.counts(store)).toMatchObject({ deliveries: 0, messages: 0 });
      store.close();
    });

    test("a message that was done everywhere can be queued again", () => {
      for (const between of [true, false]) {
        let store = h.open();
        const [a, b] = [store.sessions.open(0, meta("a")), store.sessions.open(0, meta("b"))];
        const m = message("moved");
        store.sessions.enqueue(a, 1, m, 1, 7, null, false);
        if (between) store.commit();
        store.sessions.done(a, 1, m);
        store.sessions.enqueue(b, 1, m, 1, 0, null, false);
        store.commit();
        expect(h.counts(store)).toMatchObject({ deliveries: 1, messages: 1 });
        store = h.crash(store);
        expect(store.sessions.load().map((s) => s.deliveries.map((d) => d.message.topic))).toEqual([[], ["moved"]]);
        store.close();
      }
    });

    test("what is done in the batch that enqueued it is never written; what is done later is deleted", () => {
      const store = h.open();
      const key = store.sessions.open(0, meta("a"));
      const early = message("early");
      store.sessions.enqueue(key, 1, early, 1, 0, null, false);
      store.commit();
      for (let i = 2; i < 1000; i++) {
        const m = message(`t${i}`);
        store.sessions.enqueue(key, i, m, 1, i, null, false);
        store.sessions.done(key, i, m);
      }
      store.sessions.done(key, 1, early);
      store.commit();
      expect(h.counts(store)).toMatchObject({ sessions: 1, deliveries: 0, messages: 0 });
      store.close();
    });

    test("a seq of 0 was never journalled: done changes nothing", () => {
      const store = h.open();
      const key = store.sessions.open(0, meta("a"));
      const m = message("t");
      store.sessions.enqueue(key, 1, m, 1, 0, null, false);
      store.commit();
      store.sessions.done(key, 0, m);
      store.sessions.sent(key, 0, 1);
      store.sessions.released(key, 0);
      expect(m.storeRefs).toBe(1);
      store.commit();
      expect(h.counts(store)).toMatchObject({ deliveries: 1, messages: 1 });
      store.close();
    });

    test("identifiers that wait for PUBREL, in order of their time", () => {
      let store = h.open();
      const key = store.sessions.open(0, meta("a"));
      const s = store.sessions;
      s.awaitRel(key, 9, NOW);
      s.awaitRel(key, 2, NOW + 1);
      s.awaitRel(key, 3, NOW + 2);
      s.relDone(key, 3);
      s.awaitRel(key, 4, NOW + 3);
      store.commit();
      s.relDone(key, 4);
      s.relDone(key, 2);
      s.awaitRel(key, 2, NOW + 4);
      s.awaitRel(key, 5, NOW + 5);
      s.relDone(key, 5);
      s.relDone(key, 9);
      s.awaitRel(key, 9, NOW + 6);
      s.relDone(key, 9);
      s.awaitRel(key, 9, NOW + 2);
      store = h.restart(store);
      expect(only(store).awaitingRel).toEqual([
        { packetId: 9, since: NOW + 2 },
        { packetId: 2, since: NOW + 4 },
      ]);
      store.close();
    });
  });
}
