/** The command line against a running node, by its socket and by URL. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AccessView, PluginServer } from "../../server/api/contract.ts";
import { ctl } from "../../server/cli/index.ts";
import { until } from "../support/until.ts";
import { APP, basic, closed, NODE, nextMessage, TestNode } from "./support/node.ts";

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
  for (const plugin of ["emqx_reloader", "emqx_delayed_publish"]) await node.ask("PUT", `/nodes/${NODE}/plugins/${plugin}/load`);
});
afterAll(() => node.stop());

interface Ran {
  code: number;
  out: string;
  err: string;
}

async function runWords(words: readonly string[], more: readonly string[] = ["--data-dir", join(node.dir, "data")]): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await ctl([...words, ...more], { out: (t) => void out.push(t), err: (t) => void err.push(t) }, {});
  return { code, out: out.join(""), err: err.join("") };
}

const run = (line: string, more?: readonly string[]): Promise<Ran> =>
  runWords(
    line.split(" ").filter((w) => w !== ""),
    more,
  );

/** Succeeds and prints that. */
async function prints(words: string, expected: string | RegExp): Promise<void> {
  const { code, out, err } = await run(words);
  expect({ words, code, err }).toEqual({ words, code: 0, err: "" });
  if (typeof expected === "string") expect(out).toBe(`${expected}\n`);
  else expect(out).toMatch(expected);
}

/** Refused, with exit code 1. */
async function refuses(words: string, expected: string | RegExp): Promise<void> {
  const { code, out } = await run(words);
  expect({ words, code }).toEqual({ words, code: 1 });
  if (typeof expected === "string") expect(out).toBe(`${expected}\n`);
  else expect(out).toMatch(expected);
}

describe("reaching a node", () => {
  test("the socket is the owner's alone", () => {
    expect(statSync(node.socket).mode & 0o777).toBe(0o600);
  });

  test("by URL and application", async () => {
    const by = ["--url", node.url(""), "--app", APP.id, "--secret", APP.secret];
    expect((await run("status", by)).out).toBe(`Node '${NODE}' is started\nemqx v3.1.0 is running\n`);
    expect((await run("clients list", [`--url=${node.url("/")}`, `--app=${APP.id}`, `--secret=${APP.secret}`])).code).toBe(0);
  });

  test("no node, wrong credentials, nobody at that port: exit code 2, a line that tells", async () => {
    const none = await run("status", ["-d", "/nonexistent"]);
    expect(none).toMatchObject({ code: 2, out: "" });
    expect(none.err).toMatch(/no node is running.*--data-dir/);
    expect(await run("status", ["--url", node.url(""), "--app", "x", "--secret", "y"])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/credentials/),
    });
    expect(await run("status", ["--url", "http://127.0.0.1:1"])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/cannot be reached/),
    });
    expect((await run("status --url", [])).code).toBe(1);
  });
});

describe("usage", () => {
  test("no command, an unknown one: all usages", async () => {
    const help = await run("");
    expect(help.code).toBe(0);
    expect(help.out.split("\n")).toContain(`clients kick <ClientId>${" ".repeat(25)}# Kick out a client`);
    const unknown = await run("explode");
    expect(unknown.code).toBe(1);
    expect(unknown.out).toBe(help.out);
  });

  test("wrong arguments: the command's own usage, which contains its name", async () => {
    const commands = [
      "cluster",
      "clients",
      "sessions",
      "routes",
      "subscriptions",
      "plugins",
      "log",
      "trace",
      "acl",
      "mgmt",
      "admins",
      "retainer",
      "users",
      "clientid",
      "recon",
      "banned",
      "settings",
      "alarms",
      "delayed",
      "publish",
      "completion",
      "bridges",
      "rules",
      "rule-actions",
      "resources",
      "resource-types",
    ];
    for (const c of commands) {
      const { code, out } = await run(`${c} nonsense with too many words here`);
      expect(code).toBe(1);
      for (const line of out.trimEnd().split("\n")) expect(line).toMatch(new RegExp(`^${c} .*# `));
    }
    await refuses("clients show", /^clients list/);
    await refuses("vm nope", /^vm all/);
  });

  test("completion scripts are complete and run", async () => {
    for (const shell of ["bash", "zsh", "fish"]) await prints(`completion ${shell}`, /subscriptions/);
    await refuses("completion csh", /^completion/);
    const { out } = await run("completion bash");
    const script = `${out}\nCOMP_WORDS=(baomq ctl clients ""); COMP_CWORD=3; _baomq; echo "\${COMPREPLY[@]}"`;
    const bash = Bun.spawnSync(["bash", "-c", script]);
    expect(bash.stdout.toString().trim()).toBe("list show kick");
  });
});

describe("the node", () => {
  test("status, broker, cluster, vm", async () => {
    await prints("status", `Node '${NODE}' is started\nemqx v3.1.0 is running`);
    await prints("broker", /^sysdescr {2}: EMQ X Broker\nversion {3}: v3\.1\.0\nuptime {4}: .+\ndatetime {2}: \d{4}-/);
    await prints("broker stats", /^connections\/count {13}: \d+$/m);
    await prints("broker metrics", /^bytes\/received {10}: \d+$/m);
    await prints("cluster status", `Cluster status: [{running_nodes,['${NODE}']}]`);
    await refuses("cluster join x@y", "Failed to join the cluster: this node can only run alone");
    await refuses("cluster leave", "Failed to leave the cluster: node_not_in_cluster");
    await refuses("cluster force-leave x@y", "Failed to remove the node from cluster: node_not_in_cluster");
    await refuses("cluster join", /^cluster join <Node>/);
    await prints("mnesia", /SQLite/);
    await prints("recon memory", /: \d+/);
    await prints("recon node_stats", /./);
    await prints("recon gc", /^freed/);
    await refuses("recon remote_load x", /not applicable/);
    await prints("reload", /^(Nothing has changed\.|reloaded: )/);
    const file = join(node.dir, "emqx.conf");
    const good = readFileSync(file, "utf8");
    const acl = join(node.dir, "acl.conf");
    writeFileSync(file, `${good}zone.external.max_inflight = many\n`);
    writeFileSync(acl, `${readFileSync(acl, "utf8")}% a comment\n`);
    const wrong = `the settings stay as they were: ${file}:2: zone.external.max_inflight = many: expected a whole number`;
    await refuses("reload", new RegExp(`^Error: ${wrong}.*; read again all the same: access rules \\(${acl}\\)\n$`));
    writeFileSync(file, good);
    await prints("reload", "Nothing has changed.");
  });

  test("vm: names, their order and their columns", async () => {
    await prints("vm load", /^cpu\/load1 {15}: \d+\.\d\d\ncpu\/load5 {15}: \S+\ncpu\/load15 {14}: \S+\n$/);
    const { out } = await run("vm memory");
    const names = ["total", "processes", "processes_used", "system", "atom", "atom_used", "binary", "code", "ets"];
    expect(out.split("\n").slice(0, 9)).toEqual(names.map((n) => expect.stringMatching(new RegExp(`^${`memory/${n}`.padEnd(24)}: \\d+$`))));
    await prints("vm process", /^process\/limit {11}: 262144\nprocess\/count {11}: \d+\n$/);
    await prints("vm io", /^io\/max_fds {14}: \d+\nio\/active_fds {11}: \d+\n/);
    await prints("vm ports", /^ports\/count {11}: \d+\nports\/limit {11}: \d+\n$/);
    const all = await run("vm all");
    expect((await run("vm")).out.split("\n").length).toBe(all.out.split("\n").length);
    expect(all.out.split("\n").filter((l) => !/^(cpu|memory|process|io|ports)\/\w+ +: /.test(l))).toEqual([""]);
  });

  test("vm: sockets are counted, listening ones and connected ones", async () => {
    const count = async () => Number(/ports\/count *: (\d+)/.exec((await run("vm ports")).out)?.[1]);
    const before = await count();
    expect(before).toBeGreaterThanOrEqual(7);
    const client = await node.mqtt("socket");
    expect(await count()).toBe(before + 1);
    await client.endAsync();
  });

  test("--json", async () => {
    expect(JSON.parse((await run("--json broker stats")).out)).toMatchObject({ "connections/count": expect.any(Number) });
    expect(JSON.parse((await run("clients list --json")).out)).toEqual([]);
    expect(JSON.parse((await run("status --json")).out)).toMatchObject({ node: NODE, status: "running" });
  });

  test("log and trace", async () => {
    await prints("log set-level alert", "alert");
    await prints("log primary-level", "alert");
    // As EMQ X has it: set-level is for the handlers too, or "debug" would show nothing more; primary-level is not.
    await prints("log handlers list", /^LogHandler\(id=console, level=alert, /);
    await prints("log set-level debug", "debug");
    await prints("log handlers list", /^LogHandler\(id=console, level=debug, /);
    await prints("log primary-level alert", "alert");
    await prints("log handlers list", /^LogHandler\(id=console, level=debug, /);
    await prints("log primary-level critical", "critical");
    await prints("log handlers list", /^LogHandler\(id=console, level=\w+, destination=.+\)$/m);
    await prints("log handlers set-level console critical", "critical");
    await refuses("log set-level loud", /^\[error\] set overall log level failed: /);
    await refuses("log handlers set-level nope error", /\[error\]/);
    await prints("trace start client abc log/c.log", "trace client_id abc successfully");
    await prints(`trace start client def ${join(node.dir, "log", "deep", "d.log")} info`, "trace client_id def successfully");
    for (const file of ["/etc/passwd", "../c.log", join(node.dir, "data", "baomq.db")])
      await refuses(`trace start client ghi ${file}`, /^\[error\] trace client_id ghi: value of 'file': .* is not in the log directory/);
    await prints("trace stop client def", "stop tracing client_id def successfully");
    await prints("trace start topic a/# t.log error", "trace topic a/# successfully");
    await prints(
      "trace list",
      'Trace(client_id=abc, level=all, destination="log/c.log")\nTrace(topic=a/#, level=error, destination="t.log")',
    );
    await refuses("trace start client abc c.log", /already/);
    await prints("trace stop client abc", "stop tracing client_id abc successfully");
    expect(readFileSync(join(node.dir, "log", "c.log"), "utf8")).toMatch(/^# BaoMQ trace\n/);
    expect(existsSync(join(node.dir, "log", "deep", "d.log"))).toBe(true);
    await refuses("trace stop client abc", "[error] stop tracing client_id abc: not_found");
    await prints("trace stop topic a/#", "stop tracing topic a/# successfully");
    await refuses("trace stop topic a/#", /not_found/);
    await prints("acl reload", "ok");
  });

  test("listeners", async () => {
    await prints(
      "listeners",
      /^listener on mqtt:tcp:127\.0\.0\.1:\d+\n {2}acceptors {7}: 8\n {2}max_conns {7}: 1024000\n {2}current_conn {4}: 0\n {2}shutdown_count {2}: \[\]\n/m,
    );
    const port = node.mqttPort("mqtt:wss");
    await prints("listeners", new RegExp(`^listener on mqtt:wss:${port}\n`, "m"));
    await prints(`listeners stop mqtt:wss ${port}`, `Stop mqtt:wss listener on ${port} successfully.`);
    await refuses(`listeners stop mqtt:wss ${port}`, `Failed to stop mqtt:wss listener on ${port}, error:not_started`);
    await prints(`listeners start mqtt:wss ${port}`, `Start mqtt:wss listener on ${port} successfully.`);
  });

  test("plugins", async () => {
    await prints("plugins list", /^Plugin\(emqx_retainer, version=v3\.1\.0, description=EMQ X Retainer, active=true\)$/m);
    await prints("plugins unload emqx_recon", "Plugin emqx_recon unloaded successfully.");
    await refuses("plugins unload emqx_recon", "unload plugin error: not_started");
    await refuses("recon memory", /plugins load emqx_recon/);
    await prints("plugins load emqx_recon", "Start apps: [emqx_recon]\nPlugin emqx_recon loaded successfully.");
    await refuses("plugins load emqx_recon", "load plugin error: already_started");
    await prints("plugins reload emqx_recon", "Plugin emqx_recon reloaded successfully.");
    await refuses("plugins load emqx_nosuch", "load plugin error: not_found");
    for (const name of ["emqx_management", "emqx_dashboard"])
      await refuses(`plugins unload ${name}`, `Plugin ${name} can not be unloaded `);
    await refuses("plugins unload emqx_nosuch", "unload plugin error: not_found");
    await refuses("plugins reload emqx_nosuch", "Reload plugin error: not_found");
    await prints("plugins config emqx_reloader", /^reloader\.interval = 60s$/m);
  });

  test("settings", async () => {
    await prints("settings set zone.external.max_inflight 9", "zone.external.max_inflight: in force now");
    await prints("settings show zone.external.max_inflight", /^zone\.external\.max_inflight = 9\n[\s\S]*origin: api/);
    await prints("settings list max_inflight", /^zone\.external\.max_inflight = 9 {2}# api$/m);
    await prints("settings reset zone.external.max_inflight", /in force now/);
    await refuses("settings set zone.external.max_inflight many", /zone\.external\.max_inflight/);
    await refuses("settings show nope", "Not Found.");
  });
});

test("parts that are not here: nothing to list, nothing made, in the words of EMQ X 3.1", async () => {
  await prints("bridges list", /^$/);
  expect(JSON.parse((await run("--json bridges list")).out)).toEqual([]);
  for (const [words, answer] of [
    ["bridges start b", "Start bridge failed."],
    ["bridges stop b", "Stop bridge failed."],
    ["bridges forwards b", "Not Found."],
    ["bridges subscriptions b", "Not Found."],
    ["bridges add-forward b t", "Add-forward failed reason: not_found."],
    ["bridges del-forward b t", "Del-forward failed reason: not_found."],
    ["bridges add-subscription b t 1", "Add-subscription failed reason: not_found."],
    ["bridges del-subscription b t", "Del-subscription failed reason: not_found."],
  ] as const)
    await refuses(words, answer);
  for (const words of ["bridges start", "bridges list x"]) await refuses(words, new RegExp(`^${words.split(" ")[0]} .*# `));
});

describe("the rule engine, in the words of EMQ X 3.1", () => {
  const SQL = 'SELECT payload.t AS t FROM "cli/#" WHERE t > 20';
  const RULE = [
    "rules",
    "create",
    "cli rule",
    "message.publish",
    SQL,
    '[{"name":"built_in:inspect_action","params":{"a":1}}]',
    "-d",
    "a test",
  ];

  test("made, shown, turned off and on, deleted", async () => {
    const made = await runWords(RULE);
    expect(made).toMatchObject({ code: 0, err: "" });
    const id = /^Rule (cli rule:\d+) created\n$/.exec(made.out)?.[1] ?? "";
    const line = `rule(id='${id}', name='cli rule', for='message.publish', rawsql='${SQL}', actions=[{"name":"built_in:inspect_action","params":{"a":1}}], enabled='true', description='a test')\n`;
    expect((await runWords(["rules", "list"])).out).toBe(line);
    expect((await runWords(["rules", "show", id])).out).toBe(line);
    expect((await runWords(["rules", "disable", id])).out).toBe("ok\n");
    expect((await runWords(["rules", "show", id])).out).toContain("enabled='false'");
    expect((await runWords(["rules", "enable", id])).out).toBe("ok\n");
    expect((await runWords(["rules", "errors", id])).out).toBe("");
    expect(JSON.parse((await runWords(["rules", "export"])).out).rules).toMatchObject([{ id, name: "cli rule", enabled: true }]);
    for (let i = 0; i < 2; i++) expect((await runWords(["rules", "delete", id])).out).toBe("ok\n");
    await refuses("rules show r", "Cannot found r");
    await refuses("rules enable r", "Cannot found r");
  });

  test("a file goes out and comes in again", async () => {
    const made = await runWords(RULE);
    const id = /^Rule (.*) created/.exec(made.out)?.[1] ?? "";
    const file = join(node.dir, "rules.json");
    writeFileSync(file, (await runWords(["rules", "export"])).out);
    await runWords(["rules", "delete", id]);
    const counts = "resources: 0 to create, 0 to change, 0 as they are\nrules: 1 to create, 0 to change, 0 as they are\n";
    expect((await runWords(["rules", "import", file, "--dry-run"])).out).toBe(`${counts}nothing was changed\n`);
    expect((await runWords(["rules", "list"])).out).toBe("");
    expect((await runWords(["rules", "import", file])).out).toBe(`${counts}done\n`);
    expect((await runWords(["rules", "show", id])).out).toContain("name='cli rule'");
    await runWords(["rules", "delete", id]);
    await refuses("rules import nowhere.json", /ENOENT|No such file/i);
  });

  test("what is wrong is said", async () => {
    await refuses("rules create a b c d", /^Invalid options: the list of actions is no JSON: d/);
    expect(await runWords(["rules", "create", "a", "no.hook", 'SELECT * FROM "t"', "[]"])).toMatchObject({
      code: 1,
      out: "Invalid options: Hook no.hook Not Found\n",
    });
    await refuses("resources create r t", "Invalid options: Resource Type t Not Found");
    for (const words of ["rules show", "rules delete", "resources list -t x y", "rule-actions"])
      await refuses(words, new RegExp(`^${words.split(" ")[0]} .*# `));
  });

  test("SQL is tried", async () => {
    expect((await runWords(["rules", "test", SQL, '{"t": 21}'])).out).toBe('{"t":21}\n');
    expect((await runWords(["rules", "test", SQL, '{"t": 1}'])).out).toBe("no result: WHERE says no\n");
    const wrong = await runWords(["rules", "test", 'SELECT lowr(topic) FROM "t"']);
    expect(wrong).toMatchObject({ code: 1 });
    expect(wrong.out).toMatch(/^SELECT lowr\(topic\) FROM "t"\n {7}\^\^\^\^\nline 1, column 8: .*lower/);
  });

  test("dead letters, captures, and resources that are tried and opened again", async () => {
    const config = '{"path": "ctl.txt"}';
    await prints("resources test built_in", /^$/);
    expect((await runWords(["resources", "test", "file", "-c", config])).out).toMatch(/^settings: .*\nconnect: file ctl\.txt answers\n$/);
    expect(await runWords(["resources", "test", "file", "-c", '{"path": "../x"}'])).toMatchObject({ code: 1 });
    await runWords(["resources", "create", "f", "file", "-c", config]);
    await prints("resources restart file:f", /^ok$/m);
    await refuses("resources restart r", "Cannot found r");
    const made = await runWords([...RULE.slice(0, 5), '[{"name":"data_to_file","params":{"$resource":"file:f"}}]']);
    const id = /^Rule (.*) created/.exec(made.out)?.[1] ?? "";
    const [rule] = JSON.parse((await runWords(["--json", "rules", "list"])).out) as [{ actions: { id: string }[] }];
    const letters = (word: string, ...ids: string[]) => runWords(["rules", "dead-letters", word, id, rule.actions[0]?.id ?? "", ...ids]);
    expect(await letters("list")).toMatchObject({ code: 0, out: "" });
    expect((await letters("resend")).out).toBe("Resent 0 dead letters\n");
    expect((await letters("delete", "all")).out).toBe("Deleted 0 dead letters\n");
    expect((await letters("delete", "1")).out).toBe("Deleted 0 dead letters\n");
    for (const wrong of [await letters("delete"), await letters("delete", "x"), await runWords(["rules", "dead-letters", "list"])])
      expect(wrong).toMatchObject({ code: 1 });
    const client = await node.mqtt("capture");
    let isDone = false;
    const captured = runWords(["rules", "capture", "cap/#", "1"]).finally(() => {
      isDone = true;
    });
    await until(async () => {
      client.publish("cap/1", "hello");
      await Bun.sleep(20);
      return isDone;
    }, "the end of the capture");
    expect((await captured).out).toMatch(/^\{.*"payload":"hello".*\}$/m);
    await refuses("rules capture a/#/b", /^Invalid options: topic/);
    await runWords(["rules", "delete", id]);
    await runWords(["resources", "delete", "file:f"]);
  });

  test("actions, resources and their types", async () => {
    await prints(
      "rule-actions list",
      /^action\(name='built_in:inspect_action', app='emqx_rule_engine', for='\$any', type='built_in', params=#\{\}, description='/m,
    );
    await prints("rule-actions list -t built_in -k message.publish", /republish_action/);
    await prints("rule-actions list -t nothing", /^$/);
    await prints(
      "rule-actions show built_in:republish_action",
      /target_topic => #\{description => <<".*">>,format => topic,required => true/,
    );
    await refuses("rule-actions show a", "Cannot found a");
    await prints(
      "resource-types list",
      /^resource_type\(name='built_in', provider='emqx_rule_engine', params=#\{\}, on_create=undefined, description='/m,
    );
    await refuses("resource-types show t", "Cannot found t");
    expect((await runWords(["resources", "create", "r 1", "built_in", "-c", '{"a": "b"}', "-d", "mine"])).out).toBe(
      "Resource built_in:r 1 created\n",
    );
    const line = `resource(id='built_in:r 1', name='r 1', type='built_in', config=#{<<"a">> => <<"b">>}, attrs=undefined, description='mine')\n`;
    for (const words of [["list"], ["list", "-t", "built_in"], ["show", "built_in:r 1"]])
      expect((await runWords(["resources", ...words])).out).toBe(line);
    expect((await runWords(["resources", "delete", "built_in:r 1"])).out).toBe("ok\n");
    await prints("resources list", /^$/);
    await refuses("resources show r", "Cannot found r");
  });
});

describe("clients", () => {
  test("clients, sessions, routes, subscriptions", async () => {
    const client = await node.mqtt("cli c/1", { username: "bob" });
    const end = closed(client);
    await prints(
      "clients list",
      /^Connection\(cli c\/1, clean_start=true, username=bob, peername=127\.0\.0\.1:\d+, connected_at=\d{10}\)$/m,
    );
    const show = await runWords(["clients", "show", "cli c/1"]);
    expect(show.out).toMatch(/^Connection\(cli c\/1, /);
    await prints(
      "sessions list",
      /^Session\(cli c\/1, clean_start=true, expiry_interval=0, subscriptions_count=0, max_inflight=32, inflight=0, mqueue_len=0, mqueue_dropped=0, awaiting_rel=0, deliver_msg=0, enqueue_msg=0, created_at=\d{10}\)$/m,
    );
    expect((await runWords(["subscriptions", "add", "cli c/1", "a/b", "1"])).out).toBe("ok\n");
    expect((await runWords(["subscriptions", "add", "cli c/1", "$share/g/s", "0"])).out).toBe("ok\n");
    await prints("subscriptions list", "cli c/1 -> a/b\ncli c/1 -> $share/g/s");
    expect((await runWords(["subscriptions", "show", "cli c/1"])).out).toBe("cli c/1 -> a/b\ncli c/1 -> $share/g/s\n");
    await prints("routes list", `a/b -> ${NODE}\ns -> ${NODE}`);
    await prints("routes show a/b", `a/b -> ${NODE}`);
    const came = nextMessage(client);
    await prints("publish a/b hello 1", "ok");
    expect((await came).payload.toString()).toBe("hello");
    expect((await runWords(["subscriptions", "del", "cli c/1", "a/b"])).out).toBe("ok\n");
    await refuses("routes show a/b", "Not Found.");
    await refuses("subscriptions add nobody t 1", "Error: Session not found!");
    await refuses("subscriptions del nobody t", "Error: Session not found!");
    await refuses("subscriptions add x t 3", "QoS should be 0, 1, 2");
    expect((await runWords(["clients", "kick", "cli c/1"])).out).toBe("ok\n");
    await end;
    await refuses("clients show gone", "Not Found.");
    expect((await runWords(["clients", "kick", "cli c/1"])).out).toBe("Not Found.\n");
    await refuses("sessions show gone", "Not Found.");
  });
});

describe("access", () => {
  test("mgmt: an application works as soon as it is there", async () => {
    const { out } = await run("mgmt insert cliapp Name");
    const secret = /^AppSecret: (\w+)\n$/.exec(out)?.[1] ?? "";
    expect((await node.ask("GET", "/brokers", { authorization: basic("cliapp", secret) })).status).toBe(200);
    await refuses("mgmt insert cliapp Name", "Error: alread_existed");
    await prints(
      "mgmt list",
      new RegExp(`^app_id: cliapp, secret: ${secret}, name: Name, desc: Application user, status: true, expired: undefined$`, "m"),
    );
    await prints(
      "mgmt lookup cliapp",
      `app_id: cliapp\nsecret: ${secret}\nname: Name\ndesc: Application user\nstatus: true\nexpired: undefined`,
    );
    await prints("mgmt update cliapp false", "update successfully.");
    expect((await node.ask("GET", "/brokers", { authorization: basic("cliapp", secret) })).status).toBe(401);
    for (const [word, status] of [
      ["start", 200],
      ["stop", 401],
      ["true", 200],
    ] as const) {
      await prints(`mgmt update cliapp ${word}`, "update successfully.");
      expect((await node.ask("GET", "/brokers", { authorization: basic("cliapp", secret) })).status).toBe(status);
    }
    await refuses("mgmt update nosuch true", "Error: ont_found");
    for (const word of ["maybe", "constructor"]) await refuses(`mgmt update cliapp ${word}`, /^mgmt list/);
    await prints("mgmt delete cliapp", "ok");
    await refuses("mgmt lookup cliapp", "Not Found.");
  });

  test("admins", async () => {
    await prints("admins add ann secret viewer", "ok");
    await refuses("admins add ann secret", "Error: Username Already Exist");
    await prints("admins list", "User(admin, tags=administrator)\nUser(ann, tags=viewer)");
    await prints("admins passwd ann other", "ok");
    expect((await node.ask("GET", "/brokers", { as: "user", authorization: basic("ann", "other") })).status).toBe(200);
    await refuses("admins passwd nobody x", "Error: Username Not Found");
    await prints("admins del ann", "ok");
    await refuses("admins del ann", "Error: Username Not Found");
    await refuses("admins del admin", "Error: Cannot delete admin");
  });

  test("accounts: a hint while the plugin is off", async () => {
    for (const [name, plugin] of [
      ["users", "emqx_auth_username"],
      ["clientid", "emqx_auth_clientid"],
    ]) {
      await refuses(`${name} list`, `${plugin} is not running: plugins load ${plugin}`);
      await run(`plugins load ${plugin}`);
      await prints(`${name} add one secret`, "ok");
      await refuses(`${name} add one secret`, /Error: ex/);
      await prints(`${name} list`, "one");
      await prints(`${name} update one other`, "ok");
      await prints(`${name} del one`, "ok");
      await run(`plugins unload ${plugin}`);
    }
  });

  test("the chain: who is asked, how they are, what lets strangers in", async () => {
    await prints("access", /^authentication\nnobody is asked\notherwise, in zone external: allow \(allow_anonymous\)$/m);
    await prints("access", /^acl\n# {2}asked .*\n1 .*\n2 {2}acl_file +- +- +- +- +- +- +0$/m);
    await prints("access", /^warning: zone external: everybody is let in/m);
    expect(JSON.parse((await run("access --json")).out)).toMatchObject({ node: NODE, authentication: [], acl: [{}, { step: "acl_file" }] });
    await node.ask("PUT", `/nodes/${NODE}/plugin_configs/emqx_auth_http`, { body: { "auth.http.auth_req": "http://127.0.0.1:1/a" } });
    await prints(
      "plugins load emqx_auth_http",
      /^Start apps: \[emqx_auth_http\]\nPlugin emqx_auth_http loaded successfully\.\nHTTP service at http:\/\/127\.0\.0\.1:1 is down: \S.*\n$/,
    );
    await refuses("plugins load emqx_auth_http", "load plugin error: already_started");
    await prints("access", /^1 {2}emqx_auth_http +down +deny +0 +0 +0 +0 +0$/m);
    await prints("access", /^emqx_auth_http {2}HTTP service at http:\/\/127\.0\.0\.1:1 {2}down +0 /m);
    await prints("access", /^last error of HTTP service at http:\/\/127\.0\.0\.1:1 at \d{4}-\S+Z: \S/m);
    await prints(
      "explain who me pw publish a/b",
      /^authentication: deny\n[\s\S]*\* emqx_auth_http +deny .*\n +asked: POST http:.*\n +with +clientid = "who"\n +with +username = "me"\n[\s\S]* +answer /,
    );
    await run("plugins unload emqx_auth_http");
    await refuses("access x", /^access .*# /);
    const loaded = JSON.parse((await run("plugins load emqx_auth_http --json")).out);
    expect(loaded).toMatchObject({ plugin: "emqx_auth_http", done: "load", servers: [{ state: "down" }] });
    await run("plugins unload emqx_auth_http");
  });

  test("the servers of the chain: connections in use and at most, who waits, and the times of answers, as the API has them", async () => {
    let gate = Promise.withResolvers<void>();
    const service = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch() {
        await gate.promise;
        return new Response("");
      },
    });
    const settings = { auth_req: `http://127.0.0.1:${service.port}/auth`, super_req: "", acl_req: "", pool: "2", timeout: "1m" };
    const body = Object.fromEntries(Object.entries(settings).map(([key, value]) => [`auth.http.${key}`, value]));
    await node.ask("PUT", `/nodes/${NODE}/plugin_configs/emqx_auth_http`, { body });
    await run("plugins load emqx_auth_http");
    /** Title -> what stands beneath it. */
    const row = async (): Promise<Record<string, string>> => {
      const lines = (await run("access")).out.split("\n");
      const at = lines.indexOf("servers");
      const [titles = [], cells = []] = lines.slice(at + 1, at + 3).map((line) => line.trim().split(/ {2,}/));
      return Object.fromEntries(titles.map((title, i) => [title, cells[i] ?? ""]));
    };
    const server = async (): Promise<PluginServer | undefined> => {
      const view = JSON.parse((await run("access --json")).out) as AccessView;
      return view.authentication[0]?.status?.servers[0];
    };
    await until(async () => (await server())?.state === "up", "the service is reached");
    const comers = Array.from({ length: 5 }, (_, i) => node.mqtt(`comer${i}`, { username: "joe", password: "x" }));
    await until(async () => (await server())?.waiting === 3, "three of five wait");
    expect(await row()).toEqual({
      ...{ of: "emqx_auth_http", server: `HTTP service at http://127.0.0.1:${service.port}`, state: "up" },
      ...{ "in use": "2", pool: "2", waiting: "3", calls: "5", answered: "0", failed: "0", timeouts: "0", "not asked": "0" },
      ...{ "p50 ms": "-", "p95 ms": "-", "p99 ms": "-" },
    });
    gate.resolve();
    for (const comer of await Promise.all(comers)) await comer.endAsync();
    // One that takes longer than the others: what most see, and what the slowest does.
    gate = Promise.withResolvers();
    const last = node.mqtt("comer5", { username: "joe", password: "x" });
    await until(async () => (await server())?.running === 1, "it is asked about");
    gate.resolve();
    await (await last).endAsync();
    const found = await server();
    const times = Object.fromEntries((["p50", "p95", "p99"] as const).map((name) => [`${name} ms`, found?.[name]?.toFixed(1)]));
    expect(await row()).toMatchObject({ "in use": "0", pool: "2", waiting: "0", calls: "6", answered: "6", ...times });
    expect(found?.p95).toBeGreaterThan(0);
    await run("plugins unload emqx_auth_http");
    await service.stop(true);
  });

  test("passwords from a file, and from standard input", async () => {
    const file = join(node.dir, "password");
    writeFileSync(file, "from a file: - \u00e4\n");
    const may = async (name: string, password: string): Promise<number> =>
      (await node.ask("GET", "/brokers", { as: "user", authorization: basic(name, password) })).status;
    expect(await runWords(["admins", "add", "fay", "viewer", "--password-file", file])).toMatchObject({ code: 0, out: "ok\n" });
    await prints("admins list", /^User\(fay, tags=viewer\)$/m);
    expect(await may("fay", "from a file: - \u00e4")).toBe(200);
    const main = join(import.meta.dir, "../../server/main.ts");
    const words = ["ctl", "-d", join(node.dir, "data"), "admins", "passwd", "fay", "--password-file=-"];
    const piped = Bun.spawn([process.execPath, main, ...words], { stdin: Buffer.from("piped\r\n"), stdout: "pipe" });
    expect([await new Response(piped.stdout).text(), await piped.exited, await may("fay", "piped")]).toEqual(["ok\n", 0, 200]);
    await prints("admins del fay", "ok");
    await run("plugins load emqx_auth_username");
    expect((await runWords(["users", "add", "fay", "--password-file", file])).out).toBe("ok\n");
    writeFileSync(file, "-");
    expect((await runWords(["users", "update", "fay", "--password-file", file])).out).toBe("ok\n");
    const explained = await runWords(["explain", "c", "fay", "--password-file", file]);
    expect(explained.out).toMatch(/^authentication: allow\n[\s\S]*\* emqx_auth_username +allow /);
    await run("plugins unload emqx_auth_username");
    await refuses(`users list --password-file ${file}`, "--password-file: users takes no password there");
    await refuses(`admins add --password-file ${file}`, /^admins list/);
    await refuses("admins add x --password-file /nonexistent", "--password-file /nonexistent: there is no such file");
  });

  test("banned and explain", async () => {
    await prints("banned add client_id evil 3600 because", "ok");
    await prints("banned list", /^Banned\(client_id=evil, reason=because, by=ctl, until=\d{10}\)$/m);
    const denied = await run("explain evil");
    expect(denied.out).toMatch(/^authentication: deny\n[\s\S]*\* banned/);
    await prints("banned del client_id evil", "ok");
    await prints("explain evil - - publish a/b", /^authentication: allow\n[\s\S]*acl: allow\n/);
    await refuses("banned add nonsense evil", /Error: value of 'as'/);
  });
});

describe("messages", () => {
  test("retainer", async () => {
    for (const t of ["k/1", "k/2", "k/3"]) await prints(`publish ${t} x 0 --retain`, "ok");
    await prints("retainer topics", /^k\/1$/m);
    const total = Number(/\d+/.exec((await run("retainer info")).out)?.[0]);
    expect(total).toBeGreaterThanOrEqual(3);
    await prints("retainer clean k/1", "Cleaned 1 retained messages");
    await prints("retainer clean k/1", "Cleaned 0 retained messages");
    await prints("retainer clean k/+", "Cleaned 2 retained messages");
    await prints("retainer clean", /^Cleaned \d+ retained messages$/m);
    await prints("retainer info", "retained/total: 0");
  });

  test("delayed", async () => {
    await prints("publish $delayed/1000/x/y later", "ok");
    const id = /Delayed\((\d+), topic=x\/y, qos=0, due_at=\d{10}\)/.exec((await run("delayed list")).out)?.[1] ?? "";
    await prints(`delayed send ${id}`, "ok");
    await refuses(`delayed del ${id}`, "Error: not_found");
  });

  test("alarms", async () => {
    node.node.broker.alarms.set("cli_test", "now");
    await prints("alarms list", /^Alarm\(cli_test, desc=now, raised_at=\d{10}\)$/m);
    node.node.broker.alarms.clear("cli_test");
    await prints("alarms history", /^Alarm\(cli_test, desc=now, cleared at /m);
    await prints("alarms clean", "ok");
  });
});
