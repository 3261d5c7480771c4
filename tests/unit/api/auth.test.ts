import { describe, expect, test } from "bun:test";
import type { Admin } from "../../../server/admin/index.ts";
import { createAuth, parseBasic } from "../../../server/api/auth.ts";
import { peerOf } from "../../../server/api/peer.ts";
import { QueueFull } from "../../../server/lib/work_queue.ts";

const header = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

test("Basic credentials", () => {
  expect(parseBasic(header("a:b"))).toEqual({ name: "a", secret: "b" });
  expect(parseBasic(header("a:b:c"))).toEqual({ name: "a", secret: "b:c" });
  expect(parseBasic(header("jürgen:pässword"))).toEqual({ name: "jürgen", secret: "pässword" });
  expect(parseBasic(header("a:").replace("Basic ", "basic   "))).toEqual({ name: "a", secret: "" });
  for (const bad of [null, "", "Basic", "Basic ", "Basic !!", header("nocolon"), `Bearer ${btoa("a:b")}`, "Basic YQ===="])
    expect(parseBasic(bad)).toBeNull();
});

/** Users and applications whose answers come when the test says so. */
class World {
  readonly asked: { name: string; answer(result: "ok" | "wrong_password" | "unknown_user" | Error): void }[] = [];
  generation = 0;
  readonly apps = new Map<string, { secret: string; on: boolean }>();

  readonly auth = createAuth(
    {
      apps: { check: (id: string, s: string) => this.#valid(id, s), stillValid: (id: string, s: string) => this.#valid(id, s) },
      users: {
        login: (name: string) =>
          new Promise((resolve, reject) => {
            this.asked.push({ name, answer: (r) => (r instanceof Error ? reject(r) : resolve(r)) });
          }),
        exists: () => true,
        generation: () => this.generation,
        mustChange: () => false,
      },
      system: { digest: (text: string) => text },
    } as unknown as Pick<Admin, "apps" | "users" | "system">,
    () => 0,
  );

  #valid(id: string, secret: string): boolean {
    const app = this.apps.get(id);
    return app?.on === true && app.secret === secret;
  }

  /** 200 = let in. */
  async ask(kind: "management" | "dashboard", credentials: string, address = "192.0.2.1"): Promise<number> {
    const peer = peerOf(() => address, new Headers({ authorization: header(credentials) }), []);
    const verdict = await this.auth.check(kind, peer);
    return verdict instanceof Response ? (verdict.headers.has("retry-after") ? 429 : verdict.status) : 200;
  }
}

describe("users", () => {
  test("of 400 guesses at once no more than 20 are looked at", async () => {
    const w = new World();
    const answers = Array.from({ length: 400 }, (_, i) => w.ask("dashboard", `admin:guess${i}`));
    expect(w.asked).toHaveLength(20);
    for (const a of w.asked) a.answer("wrong_password");
    const all = await Promise.all(answers);
    expect(all.filter((s) => s === 401)).toHaveLength(20);
    expect(all.filter((s) => s === 429)).toHaveLength(380);
  });

  test("the same credentials many times at once are one question, and one guess", async () => {
    const w = new World();
    const answers = Array.from({ length: 50 }, () => w.ask("dashboard", "admin:right"));
    expect(w.asked).toHaveLength(1);
    w.asked[0]?.answer("ok");
    expect((await Promise.all(answers)).every((s) => s === 200)).toBe(true);
    expect(await w.ask("dashboard", "admin:right")).toBe(200);
    expect(w.asked).toHaveLength(1);
  });

  test("right ones do not count: 30 users of one address get in", async () => {
    const w = new World();
    for (let i = 0; i < 30; i++) {
      const answer = w.ask("dashboard", `user${i}:right`);
      w.asked[i]?.answer("ok");
      expect(await answer).toBe(200);
    }
  });

  test("wrong ones of one address lock nobody else out; who was in stays in", async () => {
    const w = new World();
    const first = w.ask("dashboard", "admin:right");
    w.asked[0]?.answer("ok");
    expect(await first).toBe(200);
    const wrong = Array.from({ length: 30 }, (_, i) => w.ask("dashboard", `admin:wrong${i}`));
    for (const a of w.asked) a.answer("wrong_password");
    await Promise.all(wrong);
    expect(await w.ask("dashboard", "admin:new")).toBe(429);
    expect(await w.ask("dashboard", "admin:right")).toBe(200);
    const other = w.ask("dashboard", "boss:right", "192.0.2.2");
    w.asked.at(-1)?.answer("ok");
    expect(await other).toBe(200);
  });

  test("a wrong password sent again costs nothing and does not count", async () => {
    const w = new World();
    const once = w.ask("dashboard", "admin:wrong");
    w.asked[0]?.answer("wrong_password");
    expect(await once).toBe(401);
    for (let i = 0; i < 50; i++) expect(await w.ask("dashboard", "admin:wrong")).toBe(401);
    expect(w.asked).toHaveLength(1);
  });

  test("too many wait: come again, and it was no guess", async () => {
    const w = new World();
    for (let i = 0; i < 30; i++) {
      const answer = w.ask("dashboard", `admin:${i}`);
      w.asked[i]?.answer(new QueueFull());
      expect(await answer).toBe(429);
    }
    const right = w.ask("dashboard", "admin:right");
    w.asked[30]?.answer("ok");
    expect(await right).toBe(200);
  });

  test("what was found out while a password was changed is not remembered", async () => {
    const w = new World();
    const before = w.ask("dashboard", "admin:old");
    // The password is another one now, and somebody asks in between.
    w.generation++;
    const between = w.ask("dashboard", "boss:x");
    w.asked[0]?.answer("ok");
    w.asked[1]?.answer("wrong_password");
    await Promise.all([before, between]);
    const after = w.ask("dashboard", "admin:old");
    expect(w.asked).toHaveLength(3);
    w.asked[2]?.answer("wrong_password");
    expect(await after).toBe(401);
  });

  test("nor is that the new password was wrong before", async () => {
    const w = new World();
    const early = w.ask("dashboard", "admin:new");
    w.generation++;
    const between = w.ask("dashboard", "boss:x");
    w.asked[0]?.answer("wrong_password");
    w.asked[1]?.answer("wrong_password");
    expect(await Promise.all([early, between])).toEqual([401, 401]);
    const now = w.ask("dashboard", "admin:new");
    w.asked[2]?.answer("ok");
    expect(await now).toBe(200);
  });

  test("a question from before a change is not shared by those who ask after it", async () => {
    const w = new World();
    const before = w.ask("dashboard", "admin:old");
    w.generation++;
    const after = w.ask("dashboard", "admin:old");
    expect(w.asked).toHaveLength(2);
    w.asked[0]?.answer("ok");
    w.asked[1]?.answer("wrong_password");
    expect(await Promise.all([before, after])).toEqual([200, 401]);
    expect(await w.ask("dashboard", "admin:old")).toBe(401);
  });
});

describe("applications", () => {
  const world = (): World => {
    const w = new World();
    w.apps.set("app", { secret: "s", on: true });
    return w;
  };

  test("20 different guesses, then the address waits; the same one again is none", async () => {
    const w = world();
    for (let i = 0; i < 50; i++) expect(await w.ask("management", "app:same")).toBe(401);
    for (let i = 0; i < 19; i++) expect(await w.ask("management", `app:${i}`)).toBe(401);
    expect(await w.ask("management", "app:again")).toBe(429);
    expect(await w.ask("management", "app:s", "192.0.2.2")).toBe(200);
  });

  test("one that was switched off is no guess, and gets in again when it is on", async () => {
    const w = world();
    expect(await w.ask("management", "app:s")).toBe(200);
    (w.apps.get("app") as { on: boolean }).on = false;
    for (let i = 0; i < 50; i++) expect(await w.ask("management", "app:s")).toBe(401);
    expect(await w.ask("management", "app:guess")).toBe(401);
    (w.apps.get("app") as { on: boolean }).on = true;
    expect(await w.ask("management", "app:s")).toBe(200);
  });

  test("nor are many that were switched off together", async () => {
    const w = world();
    const ids = Array.from({ length: 25 }, (_, i) => `a${i}`);
    for (const id of ids) w.apps.set(id, { secret: "s", on: true });
    for (const id of ids) expect(await w.ask("management", `${id}:s`)).toBe(200);
    for (const app of w.apps.values()) app.on = false;
    for (const id of ids) expect(await w.ask("management", `${id}:s`)).toBe(401);
    expect(await w.ask("management", "app:guess")).toBe(401);
  });

  test("right ones do not count", async () => {
    const w = world();
    for (let i = 0; i < 30; i++) {
      w.apps.set(`a${i}`, { secret: "s", on: true });
      expect(await w.ask("management", `a${i}:s`)).toBe(200);
    }
  });
});
