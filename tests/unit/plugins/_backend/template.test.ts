/** Variables in users' texts. */
import { expect, test } from "bun:test";
import {
  CLIENT_VARIABLES,
  fillTemplate,
  parseTemplate,
  type Variable,
  variableValue,
} from "../../../../server/plugins/_backend/template.ts";
import { aClient } from "../../../support/access.ts";

const client = aClient({ clientId: "c-1", username: "joe", ip: "10.0.0.7", cert: { cn: "name", dn: "CN=name", raw: "" } });

test("each variable is found, the longer name first, and what is none stays", () => {
  const all: readonly Variable[] = ["u", "c", "a", "P", "cn", "dn", "A", "t"];
  const parts = parseTemplate("%cn-%c-%dn-%u-%a-%A-%t-%P-%x-100%", all);
  const filled = fillTemplate(parts, { client, password: Buffer.from("pä"), action: "publish", topic: "a/b" });
  expect(filled).toBe("name-c-1-CN=name-joe-10.0.0.7-2-a/b-pä-%x-100%");
});

test("one that is not allowed there is text", () => {
  expect(fillTemplate(parseTemplate("%u:%P:%t", CLIENT_VARIABLES), { client, password: Buffer.from("secret") })).toBe("joe:%P:%t");
});

test("what is not there is empty, and values are not looked at for variables", () => {
  const nobody = aClient({ clientId: "%u", username: null, cert: null });
  expect(fillTemplate(parseTemplate("[%u][%cn][%c]", CLIENT_VARIABLES), { client: nobody })).toBe("[][][%u]");
  expect(variableValue("A", { client, action: "subscribe" })).toBe("1");
  expect(variableValue("P", { client, password: null })).toBe("");
});

test("a form is given each value, not the text around it", () => {
  expect(fillTemplate(parseTemplate("<%u>", CLIENT_VARIABLES), { client }, (v) => `(${v})`)).toBe("<(joe)>");
});
