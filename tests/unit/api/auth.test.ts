import { describe, expect, test } from "bun:test";
import { isLocal, LoginGuard, parseBasic } from "../../../server/api/auth.ts";

const header = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

test("Basic credentials", () => {
  expect(parseBasic(header("a:b"))).toEqual({ name: "a", secret: "b" });
  expect(parseBasic(header("a:b:c"))).toEqual({ name: "a", secret: "b:c" });
  expect(parseBasic(header("jürgen:pässword"))).toEqual({ name: "jürgen", secret: "pässword" });
  expect(parseBasic(header("a:").replace("Basic ", "basic   "))).toEqual({ name: "a", secret: "" });
  for (const bad of [null, "", "Basic", "Basic ", "Basic !!", header("nocolon"), `Bearer ${btoa("a:b")}`, "Basic YQ===="])
    expect(parseBasic(bad)).toBeNull();
});

test("this machine, and nobody a proxy speaks for", () => {
  for (const a of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) expect(isLocal(a, new Headers())).toBe(true);
  for (const a of ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "", "1.127.0.1"]) expect(isLocal(a, new Headers())).toBe(false);
  expect(isLocal("127.0.0.1", new Headers({ "x-forwarded-for": "1.2.3.4" }))).toBe(false);
});

describe("guard", () => {
  test("so many failures of an address, then it waits until the minute is over", () => {
    let now = 1_000_000;
    const guard = new LoginGuard(() => now);
    for (let i = 0; i < 19; i++) guard.failed("a");
    expect(guard.wait("a")).toBe(0);
    guard.failed("a");
    expect(guard.wait("a")).toBe(60);
    expect(guard.wait("b")).toBe(0);
    now += 59_001;
    expect(guard.wait("a")).toBe(1);
    now += 1000;
    expect(guard.wait("a")).toBe(0);
  });

  test("success forgets; old failures do not add up", () => {
    let now = 1_000_000;
    const guard = new LoginGuard(() => now);
    for (let i = 0; i < 25; i++) guard.failed("a");
    guard.succeeded("a");
    expect(guard.wait("a")).toBe(0);
    for (let i = 0; i < 19; i++) guard.failed("a");
    now += 60_000;
    guard.failed("a");
    expect(guard.wait("a")).toBe(0);
  });

  test("a flood of addresses fills no memory", () => {
    const guard = new LoginGuard(() => 0);
    for (let i = 0; i < 20_000; i++) guard.failed(`10.0.${i >> 8}.${i & 255}`);
    for (let i = 0; i < 20; i++) guard.failed("z");
    expect(guard.wait("z")).toBe(60);
  });
});
