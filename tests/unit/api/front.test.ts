/** Requests that pages make with a browser's credentials. */
import { describe, expect, test } from "bun:test";
import { mayChallenge, refusal } from "../../../server/api/front.ts";
import { peerOf } from "../../../server/api/peer.ts";

const status = (headers: Record<string, string>): number | null =>
  refusal(peerOf(() => "192.0.2.1", new Headers({ host: "broker.example:8080", ...headers }), []))?.status ?? null;
const OWN = "http://broker.example:8080";
const JSON_BODY = { "content-type": "application/json", "content-length": "2" };

describe("pages of others are refused", () => {
  const foreign: Record<string, Record<string, string>> = {
    "by Origin": { origin: "http://evil.example" },
    "another port is another origin": { origin: "http://broker.example:8081" },
    "an origin that hides": { origin: "null" },
    "by Fetch Metadata": { "sec-fetch-site": "cross-site" },
    "even when the origin fits": { "sec-fetch-site": "cross-site", origin: OWN },
    "a neighbour": { "sec-fetch-site": "same-site", origin: "http://wiki.example" },
  };
  for (const [name, headers] of Object.entries(foreign)) test(name, () => expect(status({ ...JSON_BODY, ...headers })).toBe(403));
});

describe("our own page and everybody who is no browser goes on", () => {
  const fine: Record<string, Record<string, string>> = {
    "no header at all": {},
    "a script with any type": { "content-type": "text/plain", "content-length": "9" },
    "curl -d": { "content-type": "application/x-www-form-urlencoded", "content-length": "9" },
    "Node.js sends Sec-Fetch-Mode": { "sec-fetch-mode": "cors", "content-type": "text/plain", "content-length": "9" },
    "our page": { origin: OWN, ...JSON_BODY },
    "our page behind a proxy that changes Host": { origin: "https://outside.example", "sec-fetch-site": "same-origin", ...JSON_BODY },
    "an address that was typed in": { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" },
    "a link of a neighbour": { "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate" },
    "no body, no type": { origin: OWN, "content-length": "0" },
    "JSON of some kind": { origin: OWN, "content-type": "application/merge-patch+json; charset=utf-8", "content-length": "2" },
  };
  for (const [name, headers] of Object.entries(fine)) test(name, () => expect(status(headers)).toBeNull());
});

describe("from browsers JSON is taken as JSON only", () => {
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", ""]) {
    for (const sign of [{ origin: OWN }, { "sec-fetch-site": "same-origin" }]) {
      test(`${type} with ${Object.keys(sign)}`, () => {
        expect(status({ ...sign, "content-type": type, "content-length": "9" })).toBe(415);
        expect(status({ ...sign, "content-type": type, "transfer-encoding": "chunked" })).toBe(415);
      });
    }
  }
});

test("whose dialogue for a password would come up by itself is not asked for one", () => {
  const may = (h: Record<string, string>): boolean => mayChallenge(new Headers(h));
  expect([{}, { "sec-fetch-mode": "navigate" }].map(may)).toEqual([true, true]);
  expect([{ "sec-fetch-mode": "cors" }, { "sec-fetch-mode": "no-cors" }, { origin: OWN }].map(may)).toEqual([false, false, false]);
});
