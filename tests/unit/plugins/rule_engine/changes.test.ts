/** Rules and resources that are changed while something waits: for the line, for a server, as a dead letter. Nothing of it is lost, or goes elsewhere. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { removeTempDirs, turns } from "../harness.ts";
import { startServers, stopServers, write } from "./servers.ts";

afterEach(stopServers);
afterAll(removeTempDirs);

const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
const texts = (from: number, count: number): string[] => numbers(from, count).map(String);

/** A rule with three dead letters and three rows that wait. */
async function waiting(more: object = {}) {
  const s = await startServers();
  await s.resource("db");
  const made = await s.rule(write("db", more));
  s.servers.states.set("db", "refuses");
  s.publish(...numbers(1, 3));
  await s.passing(() => s.letters(made.id).length === 3, "dead letters");
  s.servers.states.set("db", "down");
  s.publish(...numbers(4, 3));
  await s.passing(() => s.action(made.id).metrics.waiting === 3, "rows that wait");
  const file = s.service.exported();
  const isWhole = async (): Promise<void> => {
    await s.passing(() => s.letters(made.id).length === 3 && s.action(made.id).metrics.waiting === 3, "all of it");
    expect(s.letters(made.id)).toEqual(texts(1, 3));
    s.servers.states.set("db", "up");
    await s.passing(() => s.servers.of("db").length >= 3, "what waited");
    expect(s.servers.of("db")).toEqual(texts(4, 3));
    expect(s.row(made.id).metrics).toMatchObject({ actions_success: 3, actions_failed: 3, actions_dropped: 0 });
  };
  return { ...s, made, file, isWhole };
}

test("a rule whose rows cannot be sent says so, and why, until they can", async () => {
  const s = await startServers();
  await s.resource("db");
  const { id } = await s.rule(write("db"));
  const told = (): unknown[] => [s.row(id).condition, s.action(id).metrics.last_error];
  s.publish(1);
  await s.passing(() => s.servers.of("db").length === 1, "the first row");
  expect(told()).toEqual(["running", null]);
  s.servers.states.set("db", "down");
  s.publish(...numbers(2, 3));
  await s.passing(() => s.row(id).condition === "failing", "it is told");
  expect(told()).toEqual(["failing", expect.stringMatching(/./)]);
  expect(s.action(id).metrics).toMatchObject({ waiting: 3, failed: 0, last_error_at_ms: expect.any(Number) });
  s.servers.states.set("db", "up");
  await s.passing(() => s.servers.of("db").length === 4, "what waited");
  expect(told()).toEqual(["running", null]);
});

describe.each([
  ["in memory", {}],
  ["with a queue on the disk", { disk_size: 1 }],
])("what waits %s, and dead letters, outlast", (_, queue) => {
  test("a resource that gets another description: nothing is opened anew", async () => {
    const w = await waiting(queue);
    expect(await w.resource("db", "db", "another")).toMatchObject({ description: "another" });
    expect(w.servers.opened).toEqual(["db"]);
    expect(w.service.resource("test_db:db")?.description).toBe("another");
    await w.isWhole();
  });

  test("a resource that is opened again", async () => {
    const w = await waiting(queue);
    await w.service.restartResource("test_db:db");
    expect(w.servers.opened).toEqual(["db", "db"]);
    await w.isWhole();
  });

  test("a resource that is replaced by another one", async () => {
    const w = await waiting(queue);
    w.servers.states.set("db2", "down");
    await w.resource("db", "db2");
    await w.passing(() => w.letters(w.made.id).length === 3 && w.action(w.made.id).metrics.waiting === 3, "all of it");
    w.servers.states.set("db2", "up");
    await w.passing(() => w.servers.of("db2").length === 3, "what waited");
    expect([w.servers.of("db"), w.servers.of("db2")]).toEqual([[], texts(4, 3)]);
  });

  test("an action with other parameters", async () => {
    const w = await waiting(queue);
    await w.service.updateRule(w.made.id, { actions: [write("db", { ...queue, queue_size: 64 })] });
    await w.isWhole();
  });

  test("a queue that is to be on the disk no more, or from now on", async () => {
    const w = await waiting(queue);
    for (const disk_size of [0, 2, 0]) {
      await w.service.updateRule(w.made.id, { actions: [write("db", { disk_size })] });
      await w.passing(() => w.letters(w.made.id).length === 3 && w.action(w.made.id).metrics.waiting === 3, `all of it, ${disk_size}`);
    }
    await w.isWhole();
  });

  test("a change that is refused for its second action", async () => {
    const w = await waiting(queue);
    const bad = { name: "built_in:republish_action", params: { target_topic: "a/#" } };
    const actions = [{ ...write("db", { ...queue, queue_size: 64 }), id: w.action(w.made.id).id }, bad];
    await expect(w.service.updateRule(w.made.id, { actions })).rejects.toThrow("is no topic");
    await w.isWhole();
  });

  test("an import that is refused, with what it had changed", async () => {
    const w = await waiting(queue);
    const rules = w.file.rules.map((r) => ({
      ...r,
      actions: [...r.actions, { id: "x", name: "built_in:republish_action", params: { target_topic: "a/#" } }],
    }));
    const resources = w.file.resources.map((r) => ({ ...r, config: { server: "elsewhere" } }));
    w.servers.states.set("elsewhere", "down");
    await expect(w.service.imported({ ...w.file, resources, rules }, false)).rejects.toThrow("is no topic");
    expect(w.service.resource("test_db:db")?.config).toEqual({ server: "db" });
    await w.isWhole();
  });

  test("its plugin's going and coming", async () => {
    const w = await waiting(queue);
    await w.manager.unload("test_servers");
    await turns(w.kit);
    expect(w.row(w.made.id).state).toBe("broken");
    await w.manager.load("test_servers");
    await w.isWhole();
  });
});

test("what comes while actions are opened again waits for them, also where the server hangs, and all of them end at once", async () => {
  const { servers, service, resource, rule, publish, row, action, passing } = await startServers();
  await resource("db");
  const made = await Promise.all([rule(write("db", { disk_size: 1 })), rule(write("db"))]);
  servers.states.set("db", "hangs");
  publish(1, 2);
  await passing(() => made.every(({ id }) => row(id).metrics.matched === 2), "rows under way");
  let isDone = false;
  const restarted = service.restartResource("test_db:db").then(() => {
    isDone = true;
  });
  publish(3, 4);
  await passing(() => made.every(({ id }) => row(id).metrics.matched === 4), "rows that come meanwhile");
  expect(isDone).toBe(false);
  // Both have begun to close: the one does not wait for the other.
  expect(made.map(({ id }) => action(id).metrics.waiting >= 2)).toEqual([true, true]);
  servers.states.set("db", "up");
  await restarted;
  await passing(() => made.every(({ id }) => row(id).metrics.actions_success === 4), "all rows");
  expect(made.map(({ id }) => row(id).metrics.actions_dropped)).toEqual([0, 0]);
  expect([...servers.of("db")].sort()).toEqual(["1", "1", "2", "2", "3", "3", "4", "4"]);
});

describe.each([
  ["in memory", {}],
  ["with a queue on the disk", { disk_size: 1 }],
])("a plugin that comes while something closes costs nothing of what waits %s", (_, queue) => {
  const params = { ...queue, batch_size: 1 };
  const changed = { ...params, queue_size: 64 };

  /** A rule that writes to these, each of which has the first of five rows under way until it goes on, and takes none before `isWhole`. */
  async function underWay(...names: string[]) {
    const s = await startServers();
    for (const name of names) await s.resource(name);
    const { id } = await s.rule(...names.map((name) => write(name, params)));
    const goOn = new Map(names.map((name) => [name, held(s.servers.writing, name)]));
    s.publish(...numbers(1, 5));
    const metrics = () => s.row(id).actions.map((a) => a.metrics);
    await s.passing(() => metrics().every((m) => m.waiting === 5), "rows that wait");
    for (const name of names) s.servers.states.set(name, "down");
    return {
      ...s,
      update: (...actions: object[]) => s.service.updateRule(id, { actions: actions.map((a, at) => ({ ...a, id: s.action(id, at).id })) }),
      closing: () => s.passing(() => s.row(id).actions.every((a) => a.reason === "it is opened again"), "it closes"),
      /** It has, and has left what waits. */
      hasClosed: (at: number) => s.passing(() => s.action(id, at).metrics.dead_letters === 0, "it has closed"),
      goOn: (name: string) => goOn.get(name)?.(),
      async pluginAndRows() {
        await s.manager.load("test_other");
        s.publish(...numbers(6, 3));
        await s.passing(() => metrics().every((m) => m.taken === 8), "rows that come meanwhile");
      },
      async isWhole() {
        for (const name of names) s.servers.states.set(name, "up");
        await s.passing(() => metrics().every((m) => m.success + m.failed + m.dropped === 8), "what has become of all rows");
        expect(names.map((name) => s.servers.of(name))).toEqual(names.map(() => texts(1, 8)));
        expect(metrics()).toMatchObject(names.map(() => ({ success: 8, failed: 0, dropped: 0 })));
      },
    };
  }

  test("an action that gets other parameters", async () => {
    const w = await underWay("db");
    const done = w.update(write("db", changed));
    await w.closing();
    await w.pluginAndRows();
    w.goOn("db");
    await done;
    await w.isWhole();
  });

  test("one of two actions, when the other one has closed", async () => {
    const w = await underWay("db", "slow");
    const done = w.update(write("db", changed), write("slow", changed));
    await w.closing();
    w.goOn("db");
    await w.hasClosed(0);
    await w.pluginAndRows();
    w.goOn("slow");
    await done;
    await w.isWhole();
  });

  test("actions of a change that is refused", async () => {
    const w = await underWay("db", "slow");
    await w.resource("picky");
    const refused = w.update(write("db", changed), write("picky")).catch(String);
    await w.closing();
    w.goOn("db");
    await w.hasClosed(0);
    await w.pluginAndRows();
    w.goOn("slow");
    expect(await refused).toContain("nobody may write there");
    await w.isWhole();
  });

  test("a resource that is opened again, behind its actions", async () => {
    const w = await underWay("db");
    const closed = held(w.servers.closing, "db");
    const done = w.service.restartResource("test_db:db");
    w.goOn("db");
    await w.passing(() => w.service.resource("test_db:db")?.reason === "it is opened again", "it closes");
    await w.pluginAndRows();
    closed();
    await done;
    await w.isWhole();
  });
});

test("a plugin that is back before its resource has closed: actions are opened with it", async () => {
  const s = await startServers();
  await s.resource("db");
  const { id } = await s.rule(write("db"));
  const closed = held(s.servers.closing, "db");
  await s.manager.unload("test_servers");
  await s.manager.load("test_servers");
  closed();
  await s.passing(() => s.service.resource("test_db:db")?.reason === null, "it is opened");
  expect(s.action(id).reason).toBeNull();
});

/** Returns what lets it go on. */
function held(waits: Map<string, Promise<void>>, server: string): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  waits.set(server, promise);
  return () => {
    waits.delete(server);
    resolve();
  };
}

test("dead letters are counted without being printed, and who uses a resource is told once for each rule", async () => {
  const { service, servers, row, made } = await waiting();
  const before = servers.printed;
  expect(row(made.id).actions[0]?.metrics.dead_letters).toBe(3);
  expect(servers.printed).toBe(before);
  const again = await service.createRule({
    name: "twice",
    rawsql: 'SELECT * FROM "x"',
    actions: [write("db"), write("db", { text: "b" })],
  });
  expect(again.actions).toHaveLength(2);
  expect(service.resources()[0]?.used_by).toEqual(["r", "twice"]);
  expect(service.resource("test_db:db")?.used_by).toEqual(["r", "twice"]);
});

test("rows that are held are bounded", async () => {
  const { servers, service, kit, resource, rule, row, passing } = await startServers();
  await resource("db");
  const made = await rule(write("db"));
  await service.updateRule(made.id, { rawsql: 'SELECT payload.n AS n, payload.x AS x FROM "t"' });
  servers.states.set("db", "hangs");
  const c = kit.connected("c").publish("t", '{"n": 0}');
  await passing(() => row(made.id).metrics.matched === 1);
  const restarted = service.restartResource("test_db:db");
  for (let n = 1; n <= 20; n++) c.publish("t", JSON.stringify({ n, x: "x".repeat(900_000) }));
  await passing(() => row(made.id).metrics.matched === 21);
  servers.states.set("db", "up");
  await restarted;
  await passing(() => row(made.id).metrics.actions_success + row(made.id).metrics.actions_dropped === 21);
  const { actions_dropped: dropped } = row(made.id).metrics;
  expect(dropped).toBeGreaterThan(10);
  const action = made.actions[0]?.id as string;
  // Once, and with all of them.
  const told = kit.log.lines.filter((l) => l.message.startsWith("rows found no room"));
  expect(told).toMatchObject([{ level: "warn", fields: { rule: "r", action, rows: dropped } }]);
  expect(service.errors(made.id)).toMatchObject([{ where: action, error: `${dropped} rows found no room while it was opened again` }]);
  expect(row(made.id).metrics.actions_success).toBeGreaterThan(1);
});

test.each([1, 2, 3, 4, 5, 6])(
  "whatever is changed and refused meanwhile, each row arrives, in order, or is a letter (%d)",
  async (seed) => {
    const { servers, service, kit, resource, rule, row, letters, passing } = await startServers();
    const random = numbersFrom(seed);
    const one = <T>(of: readonly T[]): T => of[random(of.length)] as T;
    await resource("db");
    const names = ["a", "b"];
    const made = await rule(...names.map((text) => write("db", { text, disk_size: 1 })));
    const c = kit.connected("c");
    let n = 0;
    const change = (): Promise<unknown> => {
      const actions = names.map((text, at) => ({
        ...write("db", { text, queue_size: 1 + random(3), disk_size: random(2) }),
        id: row(made.id).actions[at]?.id,
      }));
      const bad = { name: "built_in:republish_action", params: { target_topic: "a/#" } };
      switch (random(6)) {
        case 0:
          return service.restartResource("test_db:db");
        case 1:
          return resource("db", "db", `description ${n}`);
        case 2:
          return service.updateRule(made.id, { actions: [...actions, bad] }).catch(() => {});
        case 3:
          return service.updateRule(made.id, { description: `${n}` });
        case 4:
          return resource("db", "bad").catch(() => {});
        default:
          return service.updateRule(made.id, { actions });
      }
    };
    for (let step = 0; step < 30; step++) {
      servers.states.set("db", one(["up", "down", "refuses"]));
      const changed = change();
      for (let i = random(4); i > 0; i--) c.publish("t", JSON.stringify({ n: ++n }));
      await turns(kit, random(3));
      c.publish("t", JSON.stringify({ n: ++n }));
      await changed;
      if (random(2) === 0) kit.pass(100);
    }
    servers.states.set("db", "up");
    const { metrics } = row(made.id);
    expect(metrics.actions_dropped).toBe(0);
    await passing(() => {
      const m = row(made.id).actions.map((a) => a.metrics);
      return m.every((a) => a.taken === n && a.success + a.failed >= n && a.waiting === 0);
    }, "all rows");
    expect(row(made.id).metrics).toMatchObject({ matched: n, dropped: 0, actions_dropped: 0 });
    for (const [at, name] of names.entries()) {
      const arrived = servers.of("db").filter((text) => text.startsWith(name));
      const given = numbers(1, n).map((i) => `${name} ${i}`);
      expect([...new Set([...arrived, ...letters(made.id, at)])].sort()).toEqual(given.sort());
      // Once each: no server was left without an answer.
      const order = arrived.map((text) => Number(text.slice(2)));
      expect(order).toEqual([...new Set(order)].sort((x, y) => x - y));
    }
  },
);

function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
}

describe("which action is which, where none has an id", () => {
  const ids = (actions: readonly { id: string }[]): string[] => actions.map((a) => a.id);

  test("one that is left out does not give its rows to the next one's server", async () => {
    const { servers, service, resource, rule, publish, action, passing } = await startServers();
    for (const name of ["accounting", "public"]) await resource(name);
    const made = await rule(write("accounting", { disk_size: 1 }), write("public", { disk_size: 1 }));
    servers.states.set("accounting", "down");
    publish(1, 2);
    await passing(() => servers.of("public").length === 2 && action(made.id).metrics.waiting === 2);
    const changed = await service.updateRule(made.id, { actions: [write("public", { disk_size: 1 })] });
    expect(ids(changed.actions)).toEqual([ids(made.actions)[1] as string]);
    publish(3);
    await passing(() => servers.of("public").length >= 3, "the row that comes next");
    expect(servers.of("public")).toEqual(["1", "2", "3"]);
  });

  test("by what they do, in any order; by their place where nothing but parameters has changed; else it is another one", async () => {
    const { service, resource, rule } = await startServers();
    for (const name of ["a", "b", "c"]) await resource(name);
    const made = await rule(write("a"), write("b"));
    const [a, b] = ids(made.actions) as [string, string];
    const put = async (...actions: object[]): Promise<string[]> => ids((await service.updateRule(made.id, { actions })).actions);
    expect(await put(write("b"), write("a"))).toEqual([b, a]);
    expect(await put(write("a"), write("b"))).toEqual([a, b]);
    expect(await put(write("a", { queue_size: 2 }), write("b"))).toEqual([a, b]);
    const moved = await put(write("c"), write("b"));
    expect(moved[1]).toBe(b);
    expect([a, b]).not.toContain(moved[0] as string);
    const fewer = await put(write("b", { queue_size: 3 }));
    expect([a, b, ...moved]).not.toContain(fewer[0] as string);
    // By its id it is the same, whatever it does.
    expect(await put({ ...write("a"), id: fewer[0] })).toEqual(fewer);
  });
});
