import { expect, test } from "bun:test";
import { judgeLdap, ldapWords } from "../../../../server/plugins/auth_ldap/driver.ts";

const result = (code: number, name: string): Error => Object.assign(new Error(`words Code: 0x${code.toString(16)}`), { code, name });

test("what an error says of the directory", () => {
  // Our own account is not taken, busy, unavailable, unwilling.
  for (const code of [8, 13, 48, 49, 51, 52]) expect([code, judgeLdap(result(code, "x"))]).toEqual([code, "down"]);
  // Of one question: a filter or a name that cannot be, a limit.
  for (const code of [4, 18, 21, 34, 50]) expect([code, judgeLdap(result(code, "x"))]).toEqual([code, "refused"]);
  expect(judgeLdap(new Error("Connection closed before message response was received."))).toBe("lost");
  expect(judgeLdap(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }))).toBe("lost");
  expect(judgeLdap(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))).toBe("down");
  expect(judgeLdap(null)).toBe("down");
});

test("with the name of the result, which is what people search for", () => {
  expect(ldapWords(result(49, "InvalidCredentialsError"))).toBe("InvalidCredentials: words Code: 0x31");
  expect(ldapWords(new Error("connect ECONNREFUSED"))).toBe("connect ECONNREFUSED");
});
