/** The rule engine, in the words and lines of EMQ X 3.1; what 3.1 printed as Erlang terms is one here too. */
import { readFileSync } from "node:fs";
import type {
  ActionKindRow,
  CaptureRow,
  ImportResult,
  PluginTestStep,
  ResourceRow,
  ResourceTypeRow,
  RuleErrorRow,
  RuleRow,
  RulesFile,
  RuleTestResult,
} from "../../api/contract.ts";
import { wordsOf } from "../../lib/errors.ts";
import { ApiError, path } from "../client.ts";
import { type Command, type Context, Refused, subcommands, take, UsageError } from "../command.ts";
import { deadLetters } from "./dead_letters.ts";

/** Between two looks whether a capture has ended. */
const CAPTURE_LOOK_MS = 250;

type Handler = (ctx: Context, args: readonly string[]) => Promise<void>;

/** As Erlang's `~0p`: maps with sorted keys, texts as binaries; `atoms`: names, and values of `type` and `format`, are atoms. */
function term(value: unknown, atoms = false): string {
  if (value === null || value === undefined) return "undefined";
  if (typeof value === "string") return `<<"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}">>`;
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map((v) => term(v, atoms)).join(",")}]`;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  const isWord = (name: string, v: unknown): v is string => atoms && (name === "type" || name === "format") && typeof v === "string";
  return `#{${fields.map(([name, v]) => `${atoms ? atom(name) : term(name)} => ${isWord(name, v) ? v : term(v, atoms)}`).join(",")}}`;
}
const atom = (name: string): string => (/^[a-z]\w*$/.test(name) ? name : `'${name}'`);

function ruleLine(r: RuleRow): string {
  const actions = JSON.stringify(r.actions.map(({ name, params }) => ({ name, params })));
  return `rule(id='${r.id}', name='${r.name}', for='${r.for}', rawsql='${r.rawsql}', actions=${actions}, enabled='${r.enabled}', description='${r.description}')`;
}
const actionLine = (a: ActionKindRow): string =>
  `action(name='${a.name}', app='${a.app}', for='${a.for}', type='${a.type}', params=${term(a.params, true)}, description='${a.description}')`;
const resourceLine = (r: ResourceRow): string =>
  `resource(id='${r.id}', name='${r.name}', type='${r.type}', config=${term(r.config)}, attrs=${r.attrs}, description='${r.description}')`;
const typeLine = (t: ResourceTypeRow): string =>
  `resource_type(name='${t.name}', provider='${t.provider}', params=${term(t.params, true)}, on_create=undefined, description='${t.description}')`;

/** HTTP 404: the plugin is off, or the node is of an earlier version. */
const isOff = (err: unknown): boolean => err instanceof ApiError && err.code === 404 && err.message === "Not Found.";

async function asked<T>(ask: Promise<T>, refused: (why: string) => string = (why) => `Error: ${why}`): Promise<T> {
  try {
    return await ask;
  } catch (err) {
    if (isOff(err)) throw new Refused("emqx_rule_engine is not running");
    if (err instanceof ApiError) throw new Refused(refused(err.message.replace(/^Bad Arguments: /, "")));
    throw err;
  }
}

/** What is not there is told in the words of 3.1, anything else as it is. */
const refusedOf =
  (id: string) =>
  (why: string): string =>
    why === "Not Found" || why === `Resource ${id} Not Found` ? `Cannot found ${id}` : `Error: ${why}`;

const invalid = (why: string): string => `Invalid options: ${why}`;

const list =
  <T>(where: string, lineOf: (row: T) => string): Handler =>
  async (ctx, args) => {
    take(args, 0);
    const rows = await asked(ctx.api.get<T[]>(where));
    ctx.show(rows, rows.map(lineOf));
  };

const show =
  <T>(where: (id: string) => string, lineOf: (row: T) => string): Handler =>
  async (ctx, args) => {
    const [id = ""] = take(args, 1);
    const row = await asked(ctx.api.get<T>(where(id)), refusedOf(id));
    ctx.show(row, [lineOf(row)]);
  };

const remove =
  (where: (id: string) => string, refused: (why: string) => string): Handler =>
  async (ctx, args) => {
    const [id = ""] = take(args, 1);
    await asked(ctx.api.call("DELETE", where(id)), refused);
    ctx.show({ deleted: id }, ["ok"]);
  };

/** Options anywhere among the words: `-d text`, `--descr=text`. @throws UsageError */
function options(args: readonly string[], names: Readonly<Record<string, string>>): { words: string[]; values: Record<string, string> } {
  const words: string[] = [];
  const values: Record<string, string> = {};
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    const [option = "", inline] = word.startsWith("--") ? word.split(/=(.*)/s, 2) : [word];
    const name = Object.hasOwn(names, option) ? names[option] : undefined;
    if (name === undefined) words.push(word);
    else {
      const value = inline ?? args[++i];
      if (value === undefined) throw new UsageError();
      values[name] = value;
    }
  }
  return { words, values };
}

const DESCR = { "-d": "description", "--descr": "description" };

function json(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(invalid(`${what} is no JSON: ${text.slice(0, 100)}`));
  }
}

const warned = ({ warnings = [] }: { readonly warnings?: readonly string[] }): string[] => warnings.map((w) => `warning: ${w}`);

/** `rules create <name> <hook> <sql> <actions-json> [-d <descr>]`. */
async function createRule(ctx: Context, args: readonly string[]): Promise<void> {
  const { words, values } = options(args, DESCR);
  const [name, hook, rawsql, actions = ""] = take(words, 4);
  const body = { name, for: hook, rawsql, actions: json(actions, "the list of actions"), ...values };
  const rule = await asked(ctx.api.call<RuleRow>("POST", "/rules/", body), invalid);
  ctx.show(rule, [`Rule ${rule.id} created`, ...warned(rule)]);
}

/** `resources create <name> <type> [-c <json>] [-d <descr>]`. */
async function createResource(ctx: Context, args: readonly string[]): Promise<void> {
  const { words, values } = options(args, { ...DESCR, "-c": "config", "--config": "config" });
  const [name, type] = take(words, 2);
  const { config = "{}", ...more } = values;
  const body = { name, type, config: json(config, "the configuration"), ...more };
  const made = await asked(ctx.api.call<ResourceRow>("POST", "/resources/", body), invalid);
  ctx.show(made, [`Resource ${made.id} created`]);
}

const turn =
  (word: "enable" | "disable"): Handler =>
  async (ctx, args) => {
    const [id = ""] = take(args, 1);
    const rule = await asked(ctx.api.call<RuleRow>("PUT", `${path`/rules/${id}`}/${word}`), refusedOf(id));
    ctx.show(rule, ["ok"]);
  };

async function errors(ctx: Context, args: readonly string[]): Promise<void> {
  const [id = ""] = take(args, 1);
  const rows = await asked(ctx.api.get<RuleErrorRow[]>(path`/rules/${id}/errors`), refusedOf(id));
  ctx.show(
    rows,
    rows.map((e) => `${new Date(e.at_ms).toISOString()} ${e.where}: ${e.error}${e.topic === null ? "" : ` (${e.topic}: ${e.payload})`}`),
  );
}

/** `rules capture <topic> [<seconds>]`: real messages or events, one JSON a line, as `rules test` and the API's `sample` take them. */
async function capture(ctx: Context, args: readonly string[]): Promise<void> {
  const [topic = "", seconds] = take(args, 1, 1);
  if (seconds !== undefined && !/^\d+(\.\d+)?$/.test(seconds)) throw new UsageError(`expected seconds, got ${JSON.stringify(seconds)}`);
  const wanted = { topic, ...(seconds !== undefined && { seconds: Number(seconds) }) };
  const begun = await asked(ctx.api.call<CaptureRow>("POST", "/rules/capture", wanted), invalid);
  for (;;) {
    const row = await asked(ctx.api.get<CaptureRow | null>("/rules/capture"));
    if (row === null || row.started_at_ms !== begun.started_at_ms || row.topic !== topic)
      throw new Refused("another capture has taken its place");
    if (row.running) {
      await new Promise((resolve) => setTimeout(resolve, CAPTURE_LOOK_MS));
      continue;
    }
    ctx.show(
      row,
      row.samples.map((sample) => JSON.stringify(sample.columns)),
    );
    return;
  }
}

/** `resources restart <id>`. */
async function restart(ctx: Context, args: readonly string[]): Promise<void> {
  const [id = ""] = take(args, 1);
  await asked(ctx.api.call("POST", path`/resources/${id}`), refusedOf(id));
  ctx.show({ restarted: id }, ["ok"]);
}

/** `resources test <type> [-c <json>] [-n <name>]`: step by step; ends with an error when one fails. */
async function testResource(ctx: Context, args: readonly string[]): Promise<void> {
  const { words, values } = options(args, { "-c": "config", "--config": "config", "-n": "name", "--name": "name" });
  const [type] = take(words, 1);
  const { config = "{}", ...more } = values;
  const body = { type, config: json(config, "the configuration"), ...more };
  const steps = await asked(ctx.api.call<PluginTestStep[]>("POST", "/resources/test", body), invalid);
  ctx.show(
    steps,
    steps.map((s) => `${s.step}: ${s.verdict === "error" ? "error, " : ""}${s.why}`),
  );
  if (steps.some((s) => s.verdict === "error")) throw new Refused("");
}

/** `rules test <sql> [<payload>]`: a row a line; a mistake with the word marked below it. */
async function test(ctx: Context, args: readonly string[]): Promise<void> {
  const [rawsql = "", payload] = take(args, 1, 1);
  const result = await asked(
    ctx.api.call<RuleTestResult>("POST", "/rules/test", { rawsql, sample: payload === undefined ? {} : { payload } }),
    invalid,
  );
  const { rows, error } = result;
  if (error === null) {
    const lines = rows === null || rows.length === 0 ? ["no result: WHERE says no"] : rows.map((row) => JSON.stringify(row));
    ctx.show(result, [...lines, ...warned(result)]);
    return;
  }
  if (ctx.json) ctx.show(result, []);
  const line = rawsql.split("\n")[error.line - 1];
  const marked = line === undefined ? [] : [line, `${" ".repeat(error.column - 1)}${"^".repeat(Math.max(1, error.length))}`];
  throw new Refused(ctx.json ? "" : [...marked, error.message].join("\n"));
}

async function exportAll(ctx: Context, args: readonly string[]): Promise<void> {
  take(args, 0);
  const file = await asked(ctx.api.get<RulesFile>("/rules_export"));
  ctx.show(file, [JSON.stringify(file, null, 2)]);
}

async function importAll(ctx: Context, args: readonly string[]): Promise<void> {
  const dry = args.includes("--dry-run");
  const [file = ""] = take(
    args.filter((a) => a !== "--dry-run"),
    1,
  );
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (err) {
    throw new Refused(wordsOf(err));
  }
  const done = await asked(ctx.api.call<ImportResult>("POST", `/rules_import${dry ? "?dry_run=true" : ""}`, json(text, file)));
  const counted = (what: string, c: ImportResult["rules"]): string =>
    `${what}: ${c.create.length} to create, ${c.update.length} to change, ${c.same.length} as they are`;
  ctx.show(done, [
    counted("resources", done.resources),
    counted("rules", done.rules),
    ...done.secrets.map((s) => `${s.where}: type the secret ${s.field}`),
    ...done.errors.map((e) => `${e.where}: ${e.message}`),
    done.applied ? "done" : "nothing was changed",
  ]);
}

/** `-t <type> -k <hook>`. */
async function listActions(ctx: Context, args: readonly string[]): Promise<void> {
  const { words, values } = options(args, { "-t": "type", "--type": "type", "-k": "hook", "--hook": "hook" });
  take(words, 0);
  const { type, hook } = values;
  const all = await asked(ctx.api.get<ActionKindRow[]>(hook === undefined ? "/actions/" : path`/actions/?for=${hook}`));
  const rows = all.filter((a) => type === undefined || a.type === type);
  ctx.show(rows, rows.map(actionLine));
}

async function listResources(ctx: Context, args: readonly string[]): Promise<void> {
  const { words, values } = options(args, { "-t": "type", "--type": "type" });
  take(words, 0);
  const { type } = values;
  const rows = await asked(ctx.api.get<ResourceRow[]>(type === undefined ? "/resources/" : path`/resource_types/${type}/resources`));
  ctx.show(rows, rows.map(resourceLine));
}

export const ruleCommands: readonly Command[] = [
  {
    name: "rules",
    usage: [
      ["rules list", "List all rules"],
      ["rules show <RuleId>", "Show a rule"],
      ["rules create", "Create a rule"],
      ["rules create <Name> <Hook> <SQL> <Actions> [-d <Descr>]", 'The same; actions as JSON: [{"name": …, "params": {…}}]'],
      ["rules delete <RuleId>", "Delete a rule"],
      ["rules enable <RuleId>", "Enable a rule"],
      ["rules disable <RuleId>", "Disable a rule"],
      ["rules errors <RuleId>", "Show the last errors of a rule"],
      ["rules test <SQL> [<Payload>]", "Try SQL on a message; no action is taken"],
      ["rules capture <Topic> [<Seconds>]", "Print real messages or events of a topic, for half a minute at most"],
      ["rules dead-letters list <RuleId> <ActionId>", "List what an action of a rule could not deliver"],
      ["rules dead-letters resend <RuleId> <ActionId> [<Id> ...]", "Send it again, or all of it"],
      ["rules dead-letters delete <RuleId> <ActionId> <Id> ...", "Delete it"],
      ["rules dead-letters delete <RuleId> <ActionId> all", "Delete all of it"],
      ["rules export", "Print all rules and resources, without secrets"],
      ["rules import <File> [--dry-run]", "Take over such a file, all of it or nothing"],
    ],
    run: subcommands({
      list: list<RuleRow>("/rules/", ruleLine),
      show: show<RuleRow>((id) => path`/rules/${id}`, ruleLine),
      create: createRule,
      delete: remove((id) => path`/rules/${id}`, invalid),
      enable: turn("enable"),
      disable: turn("disable"),
      errors,
      test,
      capture,
      "dead-letters": deadLetters(2, ([id = "", action = ""]) => path`/rules/${id}/actions/${action}/dead_letters`, asked),
      export: exportAll,
      import: importAll,
    }),
  },
  {
    name: "rule-actions",
    usage: [
      ["rule-actions list", "List all actions"],
      ["rule-actions list [-t <Type>] [-k <Hook>]", "List the actions of a resource type, for an event"],
      ["rule-actions show <ActionId>", "Show a rule action"],
    ],
    run: subcommands({ list: listActions, show: show<ActionKindRow>((id) => path`/actions/${id}`, actionLine) }),
  },
  {
    name: "resources",
    usage: [
      ["resources create", "Create a resource"],
      ["resources create <Name> <Type> [-c <Config>] [-d <Descr>]", "The same; configuration as JSON"],
      ["resources list [-t <ResourceType>]", "List all resources"],
      ["resources show <ResourceId>", "Show a resource"],
      ["resources delete <ResourceId>", "Delete a resource"],
      ["resources restart <ResourceId>", "Close a resource and open it again"],
      ["resources test <Type> [-c <Config>] [-n <Name>]", "Try a configuration; masked secrets are those of that name"],
    ],
    run: subcommands({
      create: createResource,
      restart,
      test: testResource,
      list: listResources,
      show: show<ResourceRow>((id) => path`/resources/${id}`, resourceLine),
      delete: remove(
        (id) => path`/resources/${id}`,
        (why) => `Cannot delete resource as ${why}`,
      ),
    }),
  },
  {
    name: "resource-types",
    usage: [
      ["resource-types list", "List all resource-types"],
      ["resource-types show <Type>", "Show a resource-type"],
    ],
    run: subcommands({
      list: list<ResourceTypeRow>("/resource_types/", typeLine),
      show: show<ResourceTypeRow>((id) => path`/resource_types/${id}`, typeLine),
    }),
  },
];
