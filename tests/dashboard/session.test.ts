import { describe, expect, test } from "bun:test";
import { ApiError } from "../../dashboard/src/api/transport.ts";
import { basic, CREDENTIALS_KEY } from "../../dashboard/src/models/session.ts";
import { loggedIn, settle, world } from "./support.ts";

describe("session", () => {
  test("credentials stay in the tab unless the person wants to be remembered", async () => {
    const { app, tab, device } = world();
    expect(await app.session.login("admin", "public", false)).toEqual({ ok: true });
    expect(app.session.who.value?.name).toBe("admin");
    expect(tab.all.has(CREDENTIALS_KEY)).toBe(true);
    expect(device.all.has(CREDENTIALS_KEY)).toBe(false);
    app.session.logout();
    expect(tab.all.has(CREDENTIALS_KEY)).toBe(false);
    await app.session.login("admin", "public", true);
    expect(device.all.has(CREDENTIALS_KEY)).toBe(true);
    app.session.logout();
    expect(device.all.has(CREDENTIALS_KEY)).toBe(false);
  });

  test("a wrong password, a broker that is away, a throttled address: each is told apart", async () => {
    const { app, broker } = world();
    expect(await app.session.login("admin", "no", false)).toMatchObject({ ok: false, failure: "wrong" });
    broker.fail = new ApiError("network", "gone", 0);
    expect(await app.session.login("admin", "public", false)).toMatchObject({ ok: false, failure: "offline" });
    broker.fail = new ApiError("unauthorized", "Too many attempts", 401);
    expect(await app.session.login("admin", "public", false)).toMatchObject({ ok: false, failure: "throttled" });
    broker.fail = new ApiError("forbidden", "only from this machine", 403);
    expect(await app.session.login("admin", "public", false)).toMatchObject({
      ok: false,
      failure: "forbidden",
      message: "only from this machine",
    });
    expect(app.session.authorization()).toBeNull();
  });

  test("the first login with the default password asks for a new one, which then is used", async () => {
    const { app, tab } = await loggedIn("", { defaultPassword: true });
    expect(app.session.mustChange.value).toBe(true);
    expect((await app.session.changePassword("wrong", "next-password"))?.code).toBe(114);
    expect(await app.session.changePassword("public", "next-password")).toBeNull();
    expect(app.session.mustChange.value).toBe(false);
    expect(app.session.authorization()).toBe(basic("admin", "next-password"));
    expect(tab.getItem(CREDENTIALS_KEY)).toContain(basic("admin", "next-password"));
    expect(await app.api.users()).toHaveLength(2);
  });

  test("a session is taken up again after a reload; a refused one leads to the door", async () => {
    const { app } = world();
    await app.session.resume();
    expect(app.session.who.value).toBeNull();
    const other = world();
    other.tab.setItem(CREDENTIALS_KEY, JSON.stringify({ name: "admin", basic: basic("admin", "old") }));
    const { createSession } = await import("../../dashboard/src/models/session.ts");
    const session = createSession({ api: () => other.app.api, tab: other.tab, device: other.device });
    await session.resume();
    expect(session.who.value).toBeNull();
    expect(session.expired.value).toBe(true);
    expect(other.tab.getItem(CREDENTIALS_KEY)).toBeNull();
  });

  test("a 401 in the middle of things logs out and keeps the place", async () => {
    const { app, broker } = await loggedIn("#/clients?id=plant");
    broker.fail = new ApiError("unauthorized", "UNAUTHORIZED", 401);
    await app.act(() => app.api.kick("x"));
    await settle();
    expect(app.session.who.value).toBeNull();
    expect(app.session.expired.value).toBe(true);
    expect(app.router.place.value).toEqual({ path: ["clients"], query: { id: "plant" } });
  });

  test("names and passwords beyond Latin 1 make valid Basic credentials", () => {
    expect(basic("a", "b")).toBe("Basic YTpi");
    expect(basic("林", "密码")).toBe(`Basic ${Buffer.from("林:密码").toString("base64")}`);
  });
});
