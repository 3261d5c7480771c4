import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { externalFiles, importExternal } from "../../../server/plugins/external.ts";
import { TestKit } from "../../support/test_broker.ts";
import { type Managed, manage, removeTempDirs, tempDir } from "./harness.ts";

afterAll(removeTempDirs);

function dirWith(files: Record<string, string>): string {
  const dir = tempDir();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}

/** A plugin in TypeScript that answers with its greeting, typed and with a helper of its own. */
const GREETER = `
import { word } from "./lib/word.ts";
interface Seen { clients: string[] }
const seen: Seen = { clients: [] };
export default {
  name: "greeter",
  description: "Greets",
  version: "v1.2.3",
  activeByDefault: true,
  seen,
  config: {
    "greeter.text": { type: "text", default: "hello", doc: "What it says." },
    "greeter.pause": { type: "duration", default: "5s" },
    "greeter.kind": { type: "enum", choices: ["a", "b"], default: "b" },
    "greeter.on": { type: "flag", default: true },
    "greeter.max": { type: "integer", default: 3, min: 1 },
    "greeter.free": { type: "bytes" },
  },
  liveKeys: ["greeter.text"],
  start(ctx: any) {
    ctx.hook("client.connected", (client: any) => ctx.log.info(word() + " " + ctx.config["greeter.text"], { clientid: client.clientId, config: { ...ctx.config } }));
  },
};`;

function greeterDir(extra: Record<string, string> = {}): string {
  const dir = dirWith({ "greeter.ts": GREETER, ...extra });
  mkdirSync(join(dir, "lib"));
  writeFileSync(join(dir, "lib", "word.ts"), "export const word = (): string => 'first';");
  return dir;
}
const greetings = ({ kit }: Managed): string[] =>
  kit.log.lines.filter((l) => l.fields?.plugin === "greeter" && l.fields.clientid).map((l) => l.message);
const row = ({ manager }: Managed, name: string) => manager.list().find((r) => r.name === name);

describe("a plugin from a file", () => {
  test("runs, with its keys read by type", async () => {
    const m = manage([], { expandPluginsDir: greeterDir() });
    expect(await m.manager.startAll()).toEqual([]);
    expect(row(m, "greeter")).toMatchObject({
      active: true,
      version: "v1.2.3",
      description: "Greets",
      file: expect.stringMatching(/greeter\.ts$/),
    });
    m.kit.connected("me");
    expect(greetings(m)).toEqual(["first hello"]);
    expect(m.kit.log.lines.at(-1)?.fields?.config).toEqual({
      "greeter.text": "hello",
      "greeter.pause": 5000,
      "greeter.kind": "b",
      "greeter.on": true,
      "greeter.max": 3,
      "greeter.free": null,
    });
    expect(m.manager.liveItems().map((i) => i.key)).toEqual(["greeter.text"]);
    expect(m.manager.configRows("greeter").find((r) => r.key === "greeter.kind")).toMatchObject({ enum: ["a", "b"], type: "enum" });
    await m.manager.unload("greeter");
    m.kit.connected("you");
    expect(greetings(m)).toHaveLength(1);
  });

  test("a reload takes the file, and what it imports, as they are now", async () => {
    const dir = greeterDir();
    const m = manage([], { expandPluginsDir: dir });
    await m.manager.startAll();
    writeFileSync(join(dir, "lib", "word.ts"), "export const word = (): string => 'second';");
    writeFileSync(join(dir, "greeter.ts"), GREETER.replace('"hello"', '"again"').replace("v1.2.3", "v2.0.0"));
    await m.manager.reload("greeter");
    m.kit.connected("me");
    expect(greetings(m)).toEqual(["second again"]);
    expect(row(m, "greeter")).toMatchObject({ version: "v2.0.0", active: true });
  });

  test("settings in the .conf beside it; a bad one is told with file and line", async () => {
    const dir = greeterDir({ "greeter.conf": "## mine\n\ngreeter.text = from the file\ngreeter.free = 2KB\n" });
    const m = manage([], { expandPluginsDir: dir });
    await m.manager.startAll();
    m.kit.connected("me");
    expect(greetings(m)).toEqual(["first from the file"]);
    expect(m.manager.configRows("greeter").find((r) => r.key === "greeter.free")).toMatchObject({
      value: "2KB",
      origin: "file",
      required: true,
    });
    writeFileSync(join(dir, "greeter.conf"), "greeter.text = x\ngreeter.nope = 1\n");
    await expect(m.manager.reload("greeter")).rejects.toThrow(/greeter\.conf:2: greeter has no key greeter\.nope/);
    expect(row(m, "greeter")).toMatchObject({ active: true, error: expect.stringContaining("greeter.conf:2") });
    // Nothing without a dot is quoted: it may be the rest of a password.
    for (const name of ["constructor", "toString", "__proto__"]) {
      writeFileSync(join(dir, "greeter.conf"), `${name} = x\n`);
      await expect(m.manager.reload("greeter")).rejects.toThrow(/greeter\.conf:1: greeter has no such key$/);
    }
    m.kit.connected("you");
    expect(greetings(m)).toEqual(["first from the file", "first from the file"]);
    await m.manager.unload("greeter");
    writeFileSync(join(dir, "greeter.conf"), "greeter.pause = soon\n");
    await expect(m.manager.load("greeter")).rejects.toThrow(/greeter\.conf:1: greeter\.pause = soon: expected a duration/);
    writeFileSync(join(dir, "greeter.conf"), "");
    await m.manager.load("greeter");
    expect(row(m, "greeter")).toMatchObject({ active: true, error: null });
  });

  test("not active by default: listed, and loaded on demand, also after a restart", async () => {
    const dir = dirWith({ "quiet.mjs": "export default { name: 'quiet', start() {} };" });
    const first = manage([], { expandPluginsDir: dir });
    await first.manager.startAll();
    expect(row(first, "quiet")).toMatchObject({ active: false, error: null });
    await first.manager.load("quiet");
    const second = manage([], { expandPluginsDir: dir, kit: first.kit });
    await second.manager.startAll();
    expect(row(second, "quiet")).toMatchObject({ active: true });
  });
});

describe("a plugin from a file that keeps strangers out, and is read again", () => {
  /** It refuses everybody, and says in the log that it has started. */
  const guard = (version: string, start = "", name = "guard", type = "text"): string => `export default {
    name: "${name}", version: "${version}", activeByDefault: true, config: { "guard.word": { type: "${type}" } },
    async start(ctx) {
      ${start}
      ctx.log.info("started ${version}");
      ctx.hook("client.authenticate", () => ({ allow: false }));
    },
  };`;
  /** It runs, and answers however often somebody is refused. */
  async function guarded(dir: string): Promise<Managed> {
    const m = manage([], { expandPluginsDir: dir, kit: new TestKit({ zone: { authFailureLimit: null } }) });
    await m.manager.startAll();
    return m;
  }
  const starts = ({ kit }: Managed): string[] => kit.log.lines.map((l) => l.message).filter((line) => line.startsWith("started"));
  function answer({ kit }: Managed): unknown {
    const [packet] = kit
      .client(5)
      .connect("c", { username: "joe", password: Buffer.from("p") })
      .take();
    return packet?.cmd === "connack" && packet.reasonCode;
  }
  /** What strangers hear while it is under way and behind it, and why it failed. */
  async function during(m: Managed, work: Promise<unknown>): Promise<{ heard: unknown[]; why: string | null }> {
    const heard = new Set<unknown>();
    let why: string | null | undefined;
    void work.then(
      () => (why = null),
      (err: Error) => (why = err.message),
    );
    do {
      heard.add(answer(m));
      await new Promise((done) => setImmediate(done));
    } while (why === undefined);
    heard.add(answer(m));
    return { heard: [...heard], why };
  }
  const reloaded = (m: Managed) => during(m, m.manager.reload("guard"));

  const wrong: [what: string, files: Record<string, string>, why: RegExp, starts: string[]][] = [
    ["a file that does not compile", { "guard.ts": "export default {" }, /line 1/, ["v1"]],
    ["one that is no plugin", { "guard.ts": "export default 5;" }, /no default export/, ["v1"]],
    ["a line that is none", { "guard.conf": "guard.word : x\n" }, /guard\.conf:1: expected key = value/, ["v1"]],
    [
      "a key that it has not",
      { "guard.ts": guard("v2"), "guard.conf": "guard.nope = 1\n" },
      /guard\.conf:1: guard has no key guard\.nope/,
      ["v1"],
    ],
    [
      "a value of another kind",
      { "guard.ts": guard("v2", "", "guard", "integer"), "guard.conf": "guard.word = x\n" },
      /guard\.conf:1: guard\.word = x: expected a whole number/,
      ["v1"],
    ],
    ["a start that fails", { "guard.ts": guard("v2", "throw new Error('no server');") }, /^no server$/, ["v1", "v1"]],
    ["and one under another name", { "guard.ts": guard("v2", "throw new Error('no server');", "other") }, /^no server$/, ["v1", "v1"]],
  ];
  for (const [what, files, why, started] of wrong)
    test(`${what}: it goes on as it was, and nobody is let in meanwhile`, async () => {
      const dir = dirWith({ "guard.ts": guard("v1"), "guard.conf": "guard.word = mine\n" });
      const m = await guarded(dir);
      for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
      const came = await reloaded(m);
      expect(came).toEqual({ heard: [0x87], why: expect.stringMatching(why) });
      expect(m.manager.list().map((r) => [r.name, r.version, r.active, r.error])).toEqual([["guard", "v1", true, came.why]]);
      expect(starts(m)).toEqual(started.map((version) => `started ${version}`));
      expect(m.kit.log.errors.at(-1)).toStartWith("plugin goes on as it was");
      expect(m.manager.configRows("guard")).toMatchObject([{ key: "guard.word", value: "mine", type: "text" }]);
      // A change of its settings brings in nothing of what was refused.
      await m.replaceConfig("guard", { "guard.word": "yours" });
      expect([m.manager.configRows("guard")[0]?.value, starts(m).at(-1), answer(m)]).toEqual(["yours", "started v1", 0x87]);
      writeFileSync(join(dir, "guard.ts"), guard("v3"));
      writeFileSync(join(dir, "guard.conf"), "");
      expect([await reloaded(m), row(m, "guard")]).toMatchObject([
        { heard: [0x87], why: null },
        { version: "v3", active: true, error: null },
      ]);
    });

  test("nothing in the file is run while the lines beside it cannot be read", async () => {
    const dir = dirWith({ "guard.ts": guard("v1") });
    const m = await guarded(dir);
    const ran = join(dir, "ran");
    const text = `import { writeFileSync } from "node:fs";\nwriteFileSync(${JSON.stringify(ran)}, "");\n${guard("v2")}`;
    for (const [name, written] of Object.entries({ "guard.ts": text, "guard.conf": "guard.word : x\n" }))
      writeFileSync(join(dir, name), written);
    expect([(await reloaded(m)).why, existsSync(ran)]).toEqual([expect.stringContaining("guard.conf:1: expected key = value"), false]);
    writeFileSync(join(dir, "guard.conf"), "");
    expect([(await reloaded(m)).why, existsSync(ran)]).toEqual([null, true]);
  });

  test("a start that takes its time before it refuses anybody: until then nobody comes in, whether it starts or not", async () => {
    const slow = "for (let turns = 0; turns < 5; turns++) await new Promise((done) => setImmediate(done));";
    const dir = dirWith({ "guard.ts": guard("v1", slow) });
    const m = await guarded(dir);
    writeFileSync(join(dir, "guard.ts"), guard("v2", slow));
    expect(await reloaded(m)).toEqual({ heard: [0x87, 0x88], why: null });
    expect(await during(m, m.replaceConfig("guard", { "guard.word": "mine" }))).toEqual({ heard: [0x87, 0x88], why: null });
    const passing = 'ctx.hook("client.authenticate", () => null);';
    writeFileSync(join(dir, "guard.ts"), guard("v3", `${passing} ${slow} throw new Error('no server');`));
    expect(await reloaded(m)).toEqual({ heard: [0x87, 0x88], why: "no server" });
    expect(starts(m)).toEqual(["started v1", "started v2", "started v2", "started v2"]);
    expect(m.kit.hooks.at["client.authenticate"].map(({ id }) => id)).toEqual(["guard"]);
  });

  test("a value of the API's that it cannot use any more is no reason to stop it", async () => {
    const dir = dirWith({ "guard.ts": guard("v1") });
    const m = await guarded(dir);
    await m.replaceConfig("guard", { "guard.word": "words" });
    writeFileSync(join(dir, "guard.ts"), guard("v2", "", "guard", "integer"));
    const before = starts(m).length;
    expect(await reloaded(m)).toEqual({ heard: [0x87], why: expect.stringMatching(/^guard\.word: expected a whole number.*"words"/) });
    expect([starts(m).length, m.manager.configRows("guard")[0]?.value, row(m, "guard")?.version]).toEqual([before, "words", "v1"]);
  });
});

describe("a value of the API's that its plugin cannot use when the node starts", () => {
  const KEY = "greeter.max";
  const TITLE = "a setting made through the API is not used; what lies below it is in force";
  const EXPECTED = "expected a whole number, 1 or more";
  const text = GREETER.replace('{ type: "integer", default: 3, min: 1 }', '{ type: "text", default: "few" }');

  /** It was a text when it was set, and is a number now. */
  async function started(): Promise<Managed & { dir: string }> {
    const dir = greeterDir({ "greeter.ts": text, "greeter.conf": "", "idle.js": "export default { name: 'idle', start() {} };" });
    const first = manage([], { expandPluginsDir: dir });
    await first.manager.startAll();
    await first.settings.apply(new Map([[KEY, "many"]]));
    await first.manager.stopAll();
    writeFileSync(join(dir, "greeter.ts"), GREETER);
    writeFileSync(join(dir, "greeter.conf"), `${KEY} = 7\n`);
    const second = manage([], { expandPluginsDir: dir, kit: first.kit });
    expect(await second.manager.startAll()).toEqual([]);
    second.settings.review();
    return { ...second, dir };
  }
  const told = ({ kit }: Managed): unknown[] => kit.log.lines.filter((l) => l.message === TITLE).map((l) => l.fields);
  const alarm = ({ kit }: Managed): string => JSON.stringify(kit.alarms.present().filter((a) => a.id === "settings_set_aside"));
  const inForce = ({ config }: Managed): string => config.raw(KEY);
  const unused = async ({ settings }: Managed): Promise<unknown> => (await settings.list((s) => s.key === KEY))[0]?.unused;

  test("is left out, with a line and the alarm, as any other; taken back, all of that ends", async () => {
    const m = await started();
    const why = `${KEY} = many: ${EXPECTED}`;
    expect([inForce(m), told(m)]).toEqual(["7", [{ key: KEY, value: "many", why, now: "7" }]]);
    expect(alarm(m)).toContain(why);
    expect(await unused(m)).toEqual({ value: "many", why });
    m.kit.connected("me");
    expect(m.kit.log.lines.at(-1)?.fields?.config).toMatchObject({ [KEY]: 7 });
    m.settings.review();
    expect(told(m)).toHaveLength(1);
    await m.settings.apply(new Map([[KEY, null]]));
    expect([alarm(m), inForce(m), await unused(m), m.config.overrides()]).toEqual(["[]", "7", undefined, 0]);
  });

  test("comes into force with a file that can use it, and is told again where the next one cannot", async () => {
    const m = await started();
    writeFileSync(join(m.dir, "greeter.ts"), text);
    await m.manager.reload("greeter");
    m.settings.review();
    expect([alarm(m), inForce(m), await unused(m)]).toEqual(["[]", "many", undefined]);
    await m.settings.apply(new Map([[KEY, "some"]]));
    // Gone and back: what waited for it is looked at anew.
    writeFileSync(join(m.dir, "greeter.conf"), "");
    writeFileSync(join(m.dir, "greeter.ts"), text.replace(/"greeter\.max": .*/, ""));
    await m.manager.reload("greeter");
    m.settings.review();
    expect([alarm(m), m.config.strangers()]).toEqual(["[]", [KEY]]);
    writeFileSync(join(m.dir, "greeter.ts"), GREETER);
    await m.manager.reload("greeter");
    m.settings.review();
    expect([inForce(m), told(m).length]).toEqual(["3", 2]);
    expect(alarm(m)).toContain(`${KEY} = some: ${EXPECTED}`);
  });

  test("a change that the plugin refuses leaves it aside as it was", async () => {
    const m = await started();
    const failing = GREETER.replace(
      "start(ctx: any) {",
      'start(ctx: any) { if (ctx.config["greeter.max"] === 9) throw new Error("not nine");',
    );
    writeFileSync(join(m.dir, "greeter.ts"), failing);
    await m.manager.reload("greeter");
    // As a command that ends while the change waits for it.
    let meanwhile: unknown[] = [];
    const loaded = m.manager.load("idle").finally(() => {
      m.settings.review();
      meanwhile = [inForce(m), alarm(m)];
    });
    await expect(m.settings.apply(new Map([[KEY, "9"]]))).rejects.toThrow("not nine");
    await loaded;
    expect(meanwhile).toEqual(["9", "[]"]);
    expect([inForce(m), row(m, "greeter")?.active, await unused(m)]).toMatchObject(["7", true, { value: "many" }]);
    expect(alarm(m)).toContain("many");
  });
});

describe("a file that is no plugin", () => {
  const bad: Record<string, [text: string, why: RegExp]> = {
    syntax: ["export default { name: 'x' start }", /line 1/],
    "no-default": ["export const x = 1;", /no default export/],
    "no-start": ["export default { name: 'x' };", /start: expected a function/],
    "no-name": ["export default { start() {} };", /name:/],
    throws: ["throw new Error('at import');", /at import/],
    missing: ["import './not-there.ts'; export default { name: 'x', start() {} };", /not-there/],
    type: ["export default { name: 'x', config: { k: { type: 'colour' } }, start() {} };", /k has an unknown type/],
    default: ["export default { name: 'x', config: { k: { type: 'integer', default: 'no' } }, start() {} };", /k: the default is wrong/],
    live: ["export default { name: 'x', liveKeys: ['k'], start() {} };", /k is no key/],
  };
  for (const [name, [text, why]] of Object.entries(bad)) {
    test(`${name}: listed as inactive with the reason, logged with the file's name`, async () => {
      const m = manage([], { expandPluginsDir: dirWith({ [`${name}.ts`]: text }) });
      await m.manager.startAll();
      expect(row(m, name)).toMatchObject({ active: false, error: expect.stringMatching(why) });
      expect(m.kit.log.errors).toEqual([expect.stringContaining(`${name}.ts`)]);
      await expect(m.manager.load(name)).rejects.toThrow(why);
      expect(m.manager.has(name)).toBe(true);
    });
  }

  test("once repaired it loads under its own name", async () => {
    const dir = dirWith({ "late.js": "export default 5;" });
    const m = manage([], { expandPluginsDir: dir });
    await m.manager.startAll();
    writeFileSync(join(dir, "late.js"), "export default { name: 'repaired', start() {} };");
    await m.manager.load("late");
    expect(m.manager.list().map((r) => [r.name, r.active, r.error])).toEqual([["repaired", true, null]]);
  });

  test("a name that is taken stays with its owner", async () => {
    const text = "export default { name: 'same', start() {} };";
    const m = manage([], { expandPluginsDir: dirWith({ "a.js": text, "same.js": text }) });
    await m.manager.startAll();
    expect(m.manager.list().map((r) => [r.name.replace(/ .*/, ""), r.error === null])).toEqual([
      ["same", true],
      ["same", false],
    ]);
    expect(m.kit.log.errors).toEqual([expect.stringContaining("same is taken")]);
  });
});

test("only *.ts, *.js and *.mjs files are plugins; a directory that is not there is none", () => {
  const dir = dirWith({ "b.js": "", "a.ts": "", "c.mjs": "", "types.d.ts": "", "readme.md": "", ".hidden.js": "", "a.conf": "" });
  mkdirSync(join(dir, "folder.ts"));
  expect(externalFiles(dir).map((f) => f.stem)).toEqual(["a", "b", "c"]);
  expect(externalFiles(join(dir, "nowhere"))).toEqual([]);
  expect(externalFiles("")).toEqual([]);
});

test("`this` in start is the manifest", async () => {
  const dir = dirWith({ "own.js": "export default { name: 'own', tone: 7, start() { if (this.tone !== 7) throw new Error('lost'); } };" });
  const [file] = externalFiles(dir);
  const plugin = await importExternal(file as NonNullable<typeof file>);
  expect(plugin.start({} as never)).toBeUndefined();
});

test("a plugin that refuses and does not say with which code: no client hears that it was let in", async () => {
  const answers = ["{ allow: false }", "{ allow: null }"];
  for (const answer of answers) {
    const text = `export default { name: "no", activeByDefault: true, start: (ctx) => void ctx.hook("client.authenticate", () => (${answer})) };`;
    const m = manage([], { expandPluginsDir: dirWith({ "no.js": text }) });
    expect(await m.manager.startAll()).toEqual([]);
    const code = (version: 4 | 5) => {
      const [p] = m.kit
        .client(version)
        .connect("c", { username: "joe", password: Buffer.from("p") })
        .take();
      return p?.cmd === "connack" && (p.reasonCode ?? p.returnCode);
    };
    expect([code(4), code(5)]).toEqual([5, 0x87]);
  }
});
