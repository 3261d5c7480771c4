/** What is shown of a request and of its settings. */
import { expect, test } from "bun:test";
import { parseParams, type RequestTemplate, shownFields, withoutLiterals } from "../../../../server/plugins/auth_http/request.ts";
import { aClient } from "../../../support/access.ts";

test("settings are shown without what stands literally under a name such as token", () => {
  const text = "clientid=%c,username=%u,password=%P,token=t0p,key=k-%c, secret = x ,app=mqtt,dn_key=%dn%cn,pwd=";
  expect(withoutLiterals(text)).toBe(
    "clientid=%c,username=%u,password=%P,token=******,key=******, secret =******,app=mqtt,dn_key=%dn%cn,pwd=",
  );
  expect(withoutLiterals("clientid=%c,username=%u,password=%P")).toBe("clientid=%c,username=%u,password=%P");
});

test("a request is shown without any literal value, nor one with a literal part under such a name", () => {
  const params = parseParams("clientid=%c,topic=a/%c,token=t0p,key=k-%c,app=mqtt", ["c"]);
  const shown = shownFields({ params } as unknown as RequestTemplate, { client: aClient({ clientId: "dev" }) });
  expect(shown).toEqual(['clientid = "dev"', 'topic = "a/dev"', "token = ******", "key = ******", "app = ******"]);
});
