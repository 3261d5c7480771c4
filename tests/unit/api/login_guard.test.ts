import { expect, test } from "bun:test";
import { LoginGuard } from "../../../server/api/login_guard.ts";

const guesses = (guard: LoginGuard, address: string, n: number): number[] => Array.from({ length: n }, () => guard.guess(address));

test("so many guesses of an address, then it waits until the minute is over", () => {
  let now = 1_000_000;
  const guard = new LoginGuard(() => now);
  expect(guesses(guard, "10.0.0.1", 20).every((wait) => wait === 0)).toBe(true);
  expect(guard.guess("10.0.0.1")).toBe(60);
  expect(guard.guess("10.0.0.2")).toBe(0);
  now += 59_001;
  expect(guard.guess("10.0.0.1")).toBe(1);
  now += 1000;
  expect(guard.guess("10.0.0.1")).toBe(0);
});

test("a guess counts before it is looked at: of many at once no more get through", () => {
  const guard = new LoginGuard(() => 0);
  expect(guesses(guard, "10.0.0.1", 400).filter((wait) => wait === 0)).toHaveLength(20);
});

test("what was no guess is given back, and only that", () => {
  const guard = new LoginGuard(() => 0);
  guesses(guard, "10.0.0.1", 20);
  guard.takeBack("10.0.0.1");
  expect(guard.guess("10.0.0.1")).toBe(0);
  expect(guard.guess("10.0.0.1")).toBe(60);
  guard.takeBack("10.0.0.9");
});

test("old guesses do not add up", () => {
  let now = 0;
  const guard = new LoginGuard(() => now);
  guesses(guard, "10.0.0.1", 19);
  now += 60_000;
  expect(guesses(guard, "10.0.0.1", 20).every((wait) => wait === 0)).toBe(true);
});

test("an IPv6 network is one address", () => {
  const guard = new LoginGuard(() => 0);
  for (let i = 0; i < 20; i++) expect(guard.guess(`2001:db8:1:2::${i.toString(16)}`)).toBe(0);
  expect(guard.guess("2001:db8:1:2:ffff:ffff:ffff:ffff")).toBe(60);
  expect(guard.guess("2001:db8:1:3::1")).toBe(0);
});

test("a flood of addresses fills no memory, and locks nobody out", () => {
  const guard = new LoginGuard(() => 0);
  for (let i = 0; i < 20_000; i++) guard.guess(`10.1.${i >> 8}.${i & 255}`);
  guesses(guard, "10.0.0.1", 20);
  expect(guard.guess("10.0.0.1")).toBe(60);
  // The first ones are forgotten.
  expect(guesses(guard, "10.1.0.0", 20).every((wait) => wait === 0)).toBe(true);
});
