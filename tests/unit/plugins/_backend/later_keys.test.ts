/** Keys that the file of EMQ X 3.2 has, commented out: whoever has switched one on brings it along. */
import { expect, test } from "bun:test";
import { laterTimeLimitEntry } from "../../../../server/plugins/_backend/calls.ts";
import { plugins } from "../../../../server/plugins/index.ts";

test("they are known", () => {
  const known = new Set(plugins.flatMap((p) => Object.keys(p.config)));
  for (const key of [
    ...["mysql", "redis", "mongo"].map((name) => `auth.${name}.query_timeout`),
    ...["timeout", "connect_timout", "retry_times", "retry_interval", "retry_backoff"].map((name) => `auth.http.request.${name}`),
    ...["enable_ssl", "ssl.cafile", "ssl.certfile", "ssl.keyfile"].map((name) => `auth.mysql.${name}`),
  ])
    expect([key, known.has(key)]).toEqual([key, true]);
});

test("a time limit: nothing, undef and 0 leave it to ours", () => {
  const entry = laterTimeLimitEntry("auth.mysql.timeout");
  expect(["5s", "100ms", "", "undef", "0"].map((text) => entry.parse(text))).toEqual([5000, 100, null, null, null]);
  expect(() => entry.parse("soon")).toThrow("expected");
});
