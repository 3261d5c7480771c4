import { expect, test } from "bun:test";
import { formatUptime } from "../../../server/lib/uptime.ts";

test.each([
  [0, "0 seconds"],
  [12.9, "12 seconds"],
  [59, "59 seconds"],
  [60, "1 minutes, 0 seconds"],
  [239, "3 minutes, 59 seconds"],
  [5 * 3600 + 3 * 60 + 59, "5 hours, 3 minutes, 59 seconds"],
  [3600, "1 hours, 0 minutes, 0 seconds"],
  [86400 + 18 * 3600 + 45 * 60 + 1, "1 days,18 hours, 45 minutes, 1 seconds"],
  [86400 * 400, "400 days,0 hours, 0 minutes, 0 seconds"],
  [-5, "0 seconds"],
])("%p s is %s", (seconds, text) => expect(formatUptime(seconds)).toBe(text));
