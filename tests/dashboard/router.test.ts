import { describe, expect, test } from "bun:test";
import { createRouter, link, parsePlace } from "../../dashboard/src/models/router.ts";
import { ROUTES, routeOf } from "../../dashboard/src/routes.tsx";
import { fakeWindow } from "./support.ts";

describe("router", () => {
  test("any client id survives the way through an address", () => {
    for (const id of ["a/b", "温度/客厅", "<img src=x>", "100%", "a?b#c", "..", "a b+c", "%2F"]) {
      expect(parsePlace(link("clients", id))).toEqual({ path: ["clients", id], query: {} });
    }
  });

  test("query parameters are set, changed and taken away", () => {
    const win = fakeWindow("#/clients?id=x");
    const router = createRouter(win);
    expect(router.page.value).toBe("clients");
    router.patch({ sort: "-recv_oct", page: 2 });
    expect(router.place.value.query).toEqual({ id: "x", sort: "-recv_oct", page: "2" });
    router.patch({ id: "", page: null });
    expect(win.location.hash).toBe("#/clients?sort=-recv_oct");
    router.go("#/");
    expect(router.page.value).toBe("");
  });

  test("broken escapes do not break the page", () => {
    expect(parsePlace("#/clients/%zz").path).toEqual(["clients", "%zz"]);
    expect(parsePlace("").path).toEqual([]);
  });

  test("every page has its own address", () => {
    expect(new Set(ROUTES.map((r) => r.path)).size).toBe(ROUTES.length);
    expect(routeOf("banned")?.title).toBe("page.banned");
    expect(routeOf("nope")).toBeUndefined();
  });
});
