import { expect, test } from "bun:test";
import { formatLocalTime, formatLocalTimeMs } from "../../../server/lib/time_format.ts";

test("local time in the words of EMQ X", () => {
  const at = new Date(2019, 4, 6, 7, 8, 9, 45).getTime();
  expect(formatLocalTime(at)).toBe("2019-05-06 07:08:09");
  expect(formatLocalTimeMs(at)).toBe("2019-05-06 07:08:09.045");
});

test("two digits everywhere", () => {
  expect(formatLocalTime(new Date(2030, 11, 31, 23, 59, 59).getTime())).toBe("2030-12-31 23:59:59");
});
