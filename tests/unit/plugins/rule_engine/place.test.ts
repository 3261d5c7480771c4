/** What outlasts the actions that are opened in one place of a rule, while their kind comes and goes. */
import { expect, test } from "bun:test";
import type { Action, ActionKind, Legacy } from "../../../../server/plugins/actions.ts";
import { Place, type RowEvent } from "../../../../server/plugins/rule_engine/place.ts";
import { ActionSlot, type SlotWorld } from "../../../../server/plugins/rule_engine/slots.ts";
import { FakeClock, recordingLog } from "../../../support/access.ts";

interface Queue extends Legacy {
  readonly waits: readonly unknown[];
}

/** A kind whose actions keep what they are given, and leave it; each time it comes it is another one. */
function queueing(): ActionKind {
  const open = (): Action => {
    let waits: unknown[] = [];
    return {
      run: (row) => void waits.push(row.n),
      waiting: () => ({ rows: waits.length, bytes: 0 }),
      close: () => {},
      async handOver(): Promise<Queue> {
        return { rows: waits.length, bytes: 0, letters: 0, waits };
      },
      inherit(legacy) {
        waits = [...(legacy as Queue).waits, ...waits];
        return true;
      },
    };
  };
  return { name: "queue", for: "$any", type: "built_in", title: "Queue", description: "", params: {}, open };
}

const EVENT: RowEvent = {
  event: "message.publish",
  ruleId: "one",
  clientId: "c1",
  lineage: { depth: 0, family: { made: 0 } },
  column: () => undefined,
  cause: () => ({ event: "message.publish", clientId: "c1", topic: "t", payload: null }),
  bytes: 10,
  kept: () => EVENT,
};

/** An action with two rows that wait is about to be replaced: the one in its place is open, and not yet its rule's; two more rows are held. */
async function replaced() {
  const actions = new Map([["queue", queueing()]]);
  const kinds = { actions, resources: new Map() };
  const ctx = { kinds, clock: new FakeClock(), log: recordingLog(), every: () => () => {}, alarm: () => {} };
  const ports: Partial<SlotWorld> = {
    ctx: ctx as unknown as SlotWorld["ctx"],
    raised: new Map(),
    ruleName: (rule) => rule,
    failed: () => {},
  };
  const place = new Place();
  const slot = (): ActionSlot => new ActionSlot({ id: "a", name: "queue", params: {}, secrets: [] }, "one", ports as SlotWorld, place);
  const [old, next] = [slot(), slot()];
  old.sync();
  for (const n of [1, 2]) old.run({ n }, EVENT);
  await old.setAside();
  next.sync();
  for (const n of [3, 4]) old.run({ n }, EVENT);
  const rows = async (): Promise<readonly unknown[]> => ((await next.action?.handOver?.()) as Queue | undefined)?.waits ?? [];
  return { actions, next, place, rows };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("whose kind comes anew before it is its rule's: it is opened again, with all that was left and held", async () => {
  const { actions, next, place, rows } = await replaced();
  actions.set("queue", queueing());
  next.own();
  next.run({ n: 5 }, EVENT);
  expect([next.waiting, place.figures.dropped]).toEqual([5, 0]);
  await turn();
  expect([await rows(), place.waiting.rows, place.figures.dropped]).toEqual([[1, 2, 3, 4, 5], 0, 0]);
});

test("whose kind has gone before it is its rule's: what was left is there when the kind is back", async () => {
  const { actions, next, place, rows } = await replaced();
  actions.delete("queue");
  next.own();
  await turn();
  expect([next.waiting, place.figures.dropped]).toEqual([2, 2]);
  actions.set("queue", queueing());
  next.sync();
  expect([await rows(), place.figures.dropped]).toEqual([[1, 2], 2]);
});
