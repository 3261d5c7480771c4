import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { signal } from "@preact/signals";
import { en } from "../../dashboard/src/i18n/en.ts";
import { zh } from "../../dashboard/src/i18n/zh.ts";
import { createI18n, fill } from "../../dashboard/src/models/i18n.ts";
import type { Lang } from "../../dashboard/src/models/prefs.ts";

const holes = (text: string): string[] => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1] ?? ""))].sort();

describe("texts", () => {
  test("the languages have the same keys, with the same holes, none empty", () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(en)) {
      const other = zh[key as keyof typeof en];
      expect({ key, holes: holes(other) }).toEqual({ key, holes: holes(text) });
      expect(other.trim()).not.toBe("");
    }
  });

  test("no text is left untranslated, save names", () => {
    const names = /^(JSON|Base64|No Local|Retain (As Published|Handling)|\{message\}|\{page\} \/ \{last\})$/;
    const same = Object.entries(en).filter(([k, v]) => zh[k as keyof typeof en] === v && !names.test(v));
    expect(same).toEqual([]);
  });

  test("no text stands twice: of two the later one would count", () => {
    for (const lang of ["en", "zh"]) {
      const keys = [...new Bun.Glob(`dashboard/src/i18n/${lang}/*.ts`).scanSync()].flatMap((f) =>
        [...readFileSync(f, "utf8").matchAll(/^ {2}(?:"([^"]+)"|'([^']+)'|(\w+)):/gm)].map((m) => m[1] ?? m[2] ?? m[3] ?? ""),
      );
      expect(keys.length).toBeGreaterThan(100);
      expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([]);
    }
  });

  test("every key is used somewhere", () => {
    const sources = [...new Bun.Glob("dashboard/src/**/*.{ts,tsx}").scanSync()]
      .filter((f) => !f.includes("/i18n/"))
      .map((f) => readFileSync(f, "utf8"))
      .join("\n");
    // Keys put together at run time, by their beginning.
    const made = [
      "range.",
      "server.",
      "access.warn.",
      "type.",
      "banned.",
      "term.",
      "payload.",
      "explain.",
      "mqtt.",
      "origin.",
      "listeners.",
      "error.",
    ];
    const unused = Object.keys(en).filter((k) => !sources.includes(`"${k}"`) && !made.some((m) => k.startsWith(m)));
    expect(unused).toEqual([]);
  });

  test("numbers choose the form and are grouped", () => {
    expect(fill("{n} client|{n} clients", { n: 1 }, "en")).toBe("1 client");
    expect(fill("{n} client|{n} clients", { n: 1234 }, "en")).toBe("1,234 clients");
    expect(fill("{who} may", { who: "a|b" }, "en")).toBe("a|b may");
    expect(fill("{missing}", {}, "en")).toBe("{missing}");
  });

  test("a language comes on demand and changes what is shown", async () => {
    const wish = signal<Lang>("zh");
    const i18n = createI18n(wish);
    await i18n.ready;
    expect(i18n.lang.value).toBe("zh");
    expect(i18n.t("page.overview")).toBe("概览");
    expect([i18n.said("Pool Size"), i18n.said("of a plugin from elsewhere")]).toEqual(["连接池大小", "of a plugin from elsewhere"]);
    wish.value = "en";
    expect([i18n.t("page.overview"), i18n.said("Pool Size")]).toEqual(["Overview", "Pool Size"]);
    i18n.dispose();
  });
});
