import { expect, test } from "bun:test";
import fc from "fast-check";
import { escapedInDn } from "../../../../server/plugins/auth_ldap/dn.ts";

test("what means something in a name is written as its bytes [RFC 4514, 2.4]", () => {
  expect(escapedInDn("joe.d_1@x-y")).toBe("joe.d_1@x-y");
  expect(escapedInDn(",ou=x")).toBe(String.raw`\2cou\3dx`);
  expect(escapedInDn(" #é\0")).toBe(String.raw`\20\23\c3\a9\00`);
});

test("any text: nothing is left that could end a value, and it is the text again when it is read", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const escaped = escapedInDn(text);
      expect(escaped).toMatch(/^(?:[A-Za-z0-9_.@-]|\\[0-9a-f]{2})*$/);
      const bytes = escaped.replace(
        /\\(..)|(.)/g,
        (_, hex: string | undefined, plain: string) => hex ?? Buffer.from(plain).toString("hex"),
      );
      expect(Buffer.from(bytes, "hex").toString("utf8")).toBe(Buffer.from(text).toString("utf8"));
    }),
  );
});
