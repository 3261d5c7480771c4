import { expect, test } from "bun:test";
import { seldom, seldomOf, seldomRun } from "../../../server/lib/seldom.ts";

const added = (work: () => void): unknown[] => {
  const before = seldomRun().length;
  work();
  return seldomRun().slice(before);
};

class Door {
  readonly #bell = "";
  open(): void {}
  get bell(): string {
    return this.#bell;
  }
}
const { open } = Door.prototype;
const bell = Object.getOwnPropertyDescriptor(Door.prototype, "bell")?.get;

test("functions, and of classes the constructor with all methods and getters, or those named", () => {
  const f = (): void => {};
  expect(added(() => seldom(f, open))).toEqual([f, open]);
  expect(added(() => seldomOf(Door))).toEqual([Door, open, bell]);
  expect(added(() => seldomOf(Door, "bell"))).toEqual([Door, bell]);
  expect(added(() => seldomOf(Door, "constructor"))).toEqual([Door]);
});

test("a name that is no method, any more, is told", () => {
  expect(() => seldomOf(Door, "opne")).toThrow("Door has no method opne");
});
