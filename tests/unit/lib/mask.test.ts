import { expect, test } from "bun:test";
import { hasMask, loggedName, loggedTopic, withoutSecretFields, withoutSecrets } from "../../../server/lib/mask.ts";
import { readToken } from "../../../server/plugins/auth_jwt/token.ts";

test("the password of a URL is not shown; what is no such URL is left as it is", () => {
  expect(withoutSecrets("http://user:pa:ss@host:8080/a?b=c")).toBe("http://user:******@host:8080/a?b=c");
  expect(withoutSecrets("mongodb://:x@h/")).toBe("mongodb://:******@h/");
  expect(withoutSecrets("http://joe:p@ss:w@rd@host/x@y")).toBe("http://joe:******@host/x@y");
  expect(withoutSecrets("https://joe:p@host?q=a@b")).toBe("https://joe:******@host?q=a@b");
  // A user alone may be the key of a service.
  expect([withoutSecrets("https://TOKEN@h/"), withoutSecrets("https://jo@example@h")]).toEqual(["https://******@h/", "https://******@h"]);
  for (const text of ["http://host:80/a@b", "http://@host/", "select '%u'", "", "user:pass@host", "http://host/?q=a:b@c"])
    expect(withoutSecrets(text)).toBe(text);
});

test("nor is what a URL's query calls a secret", () => {
  expect(withoutSecrets("https://h/a?token=abc&who=joe#top")).toBe("https://h/a?token=******&who=joe#top");
  expect(withoutSecrets("https://joe:p@h/a?api_key=1&client_secret=2&Password=3&access_token=a=b")).toBe(
    "https://joe:******@h/a?api_key=******&client_secret=******&Password=******&access_token=******",
  );
  for (const text of ["https://h/token=abc", "https://h/a?token=", "https://h/a?token", "h/a?token=abc", "https://h/a?page=2&x=y#token=1"])
    expect(withoutSecrets(text)).toBe(text);
});

test("fields of another form, where their owner says which values would be secrets", () => {
  const shown = (text: string): string => withoutSecretFields(text, ",", (value) => !value.startsWith("%"));
  expect(shown("clientid=%c, key = k1 ,password=%P,token=a=b,secret")).toBe("clientid=%c, key =******,password=%P,token=******,secret");
});

test("a mask in a secret's place is told from one elsewhere", () => {
  const masks = (text: string): boolean => hasMask(text, withoutSecrets);
  for (const text of ["https://h/a?token=******", "https://joe:******@h", "https://h/a?token=x******&b=1"])
    expect([text, masks(text)]).toEqual([text, true]);
  for (const text of ["https://h/a?token=abc", "https://h/******?token=abc", "https://h/a?b=******", "******", ""])
    expect([text, masks(text)]).toEqual([text, false]);
});

test("what is shown has no word of what the runtime takes for a password", () => {
  for (const info of ["joe:s3cret", "joe:s@s3cret", ":s3cret", "s3cret", "s3cret:", "joe:%40s3cret@"]) {
    const text = `https://${info}@host:8080/x`;
    const { username, password } = new URL(text);
    const shown = withoutSecrets(text);
    expect([text, `${username}${password}`.includes("s3cret"), shown.includes("s3cret")]).toEqual([text, true, false]);
    expect(shown.endsWith("@host:8080/x")).toBe(true);
    // A setting is kept as it was pasted, and read without the blanks around it.
    expect(withoutSecrets(` \t${text} `)).toBe(` \t${shown} `);
  }
});

test("a user name that is a token is not logged, any other is", () => {
  const token = `${btoa('{"alg":"HS256"}')}.${btoa('{"a":1}')}.abc-_`.replaceAll("=", "");
  expect(loggedName(token)).toBe(`${token.slice(0, 8)}… (a token)`);
  expect([loggedName("joe"), loggedName("eyJoe"), loggedName("a.b.c"), loggedName(null), loggedName(undefined)]).toEqual([
    "joe",
    "eyJoe",
    "a.b.c",
    null,
    null,
  ]);
});

test("nor is it where it is a part of another name, or of a topic", () => {
  const token = `${btoa('{"alg":"HS256"}')}.${btoa('{"a":1}')}.abc-_`.replaceAll("=", "");
  const shown = `${token.slice(0, 8)}… (a token)`;
  for (const around of ["built_in:republish_action:T", "T/a/b", "$delayed/5/T/a", "a/T", "x:T/T", "T/a (QoS 1) b/T (QoS 0)"])
    expect(loggedName(around.replaceAll("T", token))).toBe(around.replaceAll("T", shown));
  for (const text of ["a/b", "/", "//a", "", "built_in:republish_action:", "a:b:c", "h.example.com/x"]) expect(loggedName(text)).toBe(text);
  expect(loggedTopic(`dev-${token}/a`, token)).toBe(`dev-${shown}/a`);
  expect(loggedTopic(`${token}/joe`, "joe")).toBe(`${shown}/joe`);
  expect([loggedTopic("a/b", null), loggedTopic("a/b", ""), loggedTopic("a/a", "a")]).toEqual(["a/b", "a/b", "a/a"]);
});

test("a token is what emqx_auth_jwt takes for one, however it is written", () => {
  const part = (text: string): string => Buffer.from(text).toString("base64url");
  const headers = ['{"alg":"HS256"}', '{ "alg" : "HS256" }', '\n{"alg":"HS256"}', '\ufeff{"alg":"HS256"}'];
  for (const header of headers)
    for (const claims of ["{}", '{ "exp": 1 }', '\t{"sub":"joe"}'])
      for (const signature of ["", "abc-_w"]) {
        const token = `${part(header)}.${part(claims)}.${signature}`;
        expect([token, readToken(token) !== null, loggedName(token)]).toEqual([token, true, `${token.slice(0, 8)}… (a token)`]);
      }
  // Too long for the plugin: somebody else's, perhaps.
  const long = `${part('{"alg":"HS256"}')}.${part(`{"x":"${"y".repeat(9000)}"}`)}.abc`;
  expect([readToken(long), loggedName(long)?.length]).toEqual([null, 8 + "… (a token)".length]);
});
