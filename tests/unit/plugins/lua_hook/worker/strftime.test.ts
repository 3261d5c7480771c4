import { expect, test } from "bun:test";
import { BadConversion, partsOf, strftime } from "../../../../../server/plugins/lua_hook/worker/strftime.ts";

const utc = (text: string) => partsOf(new Date(text), true);

/** What `LC_ALL=C date -u -d … +…` of GNU prints. */
const cases: [at: string, format: string, said: string][] = [
  ["2024-02-29T13:05:09Z", "%a %A %b %B %h", "Thu Thursday Feb February Feb"],
  [
    "2024-02-29T13:05:09Z",
    "%c|%x|%X|%r|%R|%T|%D|%F",
    "Thu Feb 29 13:05:09 2024|02/29/24|13:05:09|01:05:09 PM|13:05|13:05:09|02/29/24|2024-02-29",
  ],
  ["2024-02-29T13:05:09Z", "%C %d %e %H %I %j %m %M %p %S %u %w %y %Y", "20 29 29 13 01 060 02 05 PM 09 4 4 24 2024"],
  ["2024-02-29T13:05:09Z", "%U %W %V %G %g", "08 09 09 2024 24"],
  ["2021-01-03T00:00:00Z", "%U %W %V %G %g %u %w %j", "01 00 53 2020 20 7 0 003"],
  ["2020-12-31T23:59:59Z", "%U %W %V %G %j %I %p", "52 52 53 2020 366 11 PM"],
  ["2024-12-30T00:00:00Z", "%V %G %g %I %p", "01 2025 25 12 AM"],
  ["2024-03-05T00:00:00Z", "%e|%n|%t|%%", " 5|\n|\t|%"],
  ["2024-03-05T00:00:00Z", "%Ey %EY %Od %OH %z %Z", "24 2024 05 00 +0000 GMT"],
  ["2024-03-05T00:00:00Z", "", ""],
  ["2024-03-05T00:00:00Z", "none", "none"],
];
for (const [at, format, said] of cases) test(`${at} ${JSON.stringify(format)}`, () => expect(strftime(format, utc(at))).toBe(said));

test("the machine's zone: the same moment, by its clock", () => {
  const at = new Date(2024, 6, 1, 9, 30, 5);
  const parts = partsOf(at, false);
  expect(strftime("%F %T", parts)).toBe("2024-07-01 09:30:05");
  const [, sign, hours, minutes] = /^([+-])(\d\d)(\d\d)$/.exec(strftime("%z", parts)) ?? [];
  const offset = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  expect(offset).toBe(0 - at.getTimezoneOffset());
  expect(strftime("%Z", parts).length).toBeGreaterThan(0);
});

for (const format of ["%", "%k", "%E", "%Ed", "%OY", "a%Qb"])
  test(`${format} is none`, () => expect(() => strftime(format, utc("2024-03-05T00:00:00Z"))).toThrow(BadConversion));

test("what is made is told before more is", () => {
  const taken: number[] = [];
  const enough = (bytes: number): void => {
    if (taken.push(bytes) === 3) throw new RangeError("enough");
  };
  expect(() => strftime("ab%Y%Y%Y%Y", utc("2024-03-05T00:00:00Z"), enough)).toThrow("enough");
  expect(taken).toEqual([6, 4, 4]);
});
