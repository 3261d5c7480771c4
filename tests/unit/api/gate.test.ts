/** Who is let in by a listener's rules, and what goes on when it is stopped. */
import { expect, test } from "bun:test";
import { Gate, type Limits, type Server, Visit } from "../../../server/api/gate.ts";

const limits = (access: Limits["access"]): Limits => ({ access, maxClients: 4, sendTimeoutMs: 1000, trustedProxies: [] });
const DENY_ALL = [
  { allow: false, cidr: "0.0.0.0/0" },
  { allow: false, cidr: "::/0" },
];

test("the first rule that fits counts; an address that cannot be read is let in by none of them", () => {
  const status = (access: Limits["access"], address: string) => new Gate("management", limits(access)).refusal(() => address, 1)?.status;
  expect(status([], "")).toBeUndefined();
  expect(status([{ allow: true, cidr: "10.0.0.0/8" }, ...DENY_ALL], "10.1.2.3")).toBeUndefined();
  expect(status([{ allow: true, cidr: "10.0.0.0/8" }, ...DENY_ALL], "11.1.2.3")).toBe(403);
  for (const address of ["", "unknown"]) expect(status(DENY_ALL, address)).toBe(403);
});

test("a stream is over when its caller comes in by something else, by nothing, or when the listener is stopped", () => {
  const gate = new Gate("management", limits([]));
  const visit = () => new Visit(gate, new Request("http://x/"), { requestIP: () => null } as unknown as Server);
  let standing: string | null = "secret";
  const stream = visit().stream("app:a", () => standing);
  expect(stream.isOver()).toBe(false);
  for (const now of ["other", null]) {
    standing = now;
    expect(stream.isOver()).toBe(true);
  }
  expect(
    visit()
      .stream("app:b", () => null)
      .isOver(),
  ).toBe(true);
  standing = "secret";
  expect(stream.isOver()).toBe(false);
  gate.close();
  expect(stream.isOver()).toBe(true);
});
