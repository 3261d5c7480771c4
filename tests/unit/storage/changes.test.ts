/** What a batch of changes of a table writes. */
import { expect, test } from "bun:test";
import { Changes } from "../../../server/storage/changes.ts";
import { RedoOps } from "../../../server/storage/redo_ops.ts";

class Noted extends Changes<string, number> {
  readonly done: string[] = [];
  put(key: string, value: number): void {
    this.change(key, value);
  }
  delete(key: string): void {
    this.change(key, null);
  }
  clear(): void {
    this.changeAll();
  }
  /** One batch: what it did. */
  batch(): string[] {
    const share = this.take();
    for (const rows = share.write(); !rows.next().done; );
    share.written?.();
    return this.done.splice(0);
  }
  protected override putRow(key: string, value: number): void {
    this.done.push(`${key} = ${value}`);
  }
  protected override deleteRow(key: string): void {
    this.done.push(`no ${key}`);
  }
  protected override deleteAll(): void {
    this.done.push("none");
  }
}

test("everything is cleared once: what later batches put stays", () => {
  const owner = { pending: false, direct: false, redo: new RedoOps(), settle() {}, readError: (err: unknown) => err as Error };
  const t = new Noted(owner);
  t.put("a", 1);
  t.clear();
  expect([t.dirty, t.bytes, owner.pending, owner.direct]).toEqual([true, 0, true, true]);
  t.put("b", 2);
  expect(t.batch()).toEqual(["none", "b = 2"]);
  expect([t.dirty, t.bytes]).toEqual([false, 0]);
  t.put("c", 3);
  t.put("c", 4);
  t.delete("b");
  expect(t.batch()).toEqual(["c = 4", "no b"]);
  expect(t.batch()).toEqual([]);
});
