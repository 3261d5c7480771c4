/** `baomq ctl …`: commands against a running node, in the words of `emqx_ctl`. */
import { join } from "node:path";
import { CTL_SOCKET } from "../lib/ctl_socket.ts";
import { ApiError, Client, type Target, Unreachable } from "./client.ts";
import { type Command, type Context, EXIT, Refused, take, UsageError, usageLines } from "./command.ts";
import { absentCommands } from "./commands/absent.ts";
import { accessCommands } from "./commands/access.ts";
import { chainCommands } from "./commands/access_chain.ts";
import { exampleCommands } from "./commands/auth_examples.ts";
import { clientCommands } from "./commands/clients.ts";
import { logCommands } from "./commands/log.ts";
import { messageCommands } from "./commands/messages.ts";
import { nodeCommands } from "./commands/node.ts";
import { pluginCommands } from "./commands/plugins.ts";
import { ruleCommands } from "./commands/rules.ts";
import { scriptCommands } from "./commands/scripts.ts";
import { schemaCommands } from "./commands/sql_schema.ts";
import { webHookCommands } from "./commands/web_hook.ts";
import { completion, SHELLS } from "./completion.ts";
import { readPassword, withPassword } from "./password.ts";

const OPTIONS = `Options, anywhere on the line:
  --json                    answers as JSON
  -d, --data-dir DIR        data directory of the node on this machine (default data)
  --url URL --app ID --secret SECRET   a node elsewhere, e.g. --url http://host:8080 (or BAOMQ_CTL_URL, _APP, _SECRET)
  --password-file FILE      stands for <Password>, <NewPassword>, <Pwd> or <Value>, which is then left out; - = standard input
Exit code: 0 done, 1 refused or not found, 2 the node cannot be reached.`;

const completionCommand: Command = {
  name: "completion",
  usage: [["completion bash|zsh|fish", "Print a completion script for a shell"]],
  async run(ctx, args) {
    const [word] = take(args, 1);
    const shell = SHELLS.find((s) => s === word);
    if (!shell) throw new UsageError();
    ctx.out(completion(shell, COMMANDS).trimEnd());
  },
};

const COMMANDS: readonly Command[] = [
  ...nodeCommands,
  ...clientCommands,
  ...pluginCommands,
  ...schemaCommands,
  ...exampleCommands,
  ...logCommands,
  ...accessCommands,
  ...chainCommands,
  ...messageCommands,
  ...scriptCommands,
  ...ruleCommands,
  ...webHookCommands,
  ...absentCommands,
  completionCommand,
];

export interface Streams {
  out(text: string): void;
  err(text: string): void;
}
const standard: Streams = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

interface Parsed {
  words: string[];
  json: boolean;
  target: Target;
  /** null = passwords stand on the line. */
  passwordFile: string | null;
}

/** Options may stand anywhere; after `--` everything is a word. @throws Refused */
function parse(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Parsed {
  const words: string[] = [];
  const values: Record<string, string | undefined> = {
    dir: env.BAOMQ_NODE__DATA_DIR ?? env.EMQX_NODE__DATA_DIR ?? "data",
    url: env.BAOMQ_CTL_URL,
    app: env.BAOMQ_CTL_APP,
    secret: env.BAOMQ_CTL_SECRET,
  };
  const names: Readonly<Record<string, string>> = {
    "-d": "dir",
    "--data-dir": "dir",
    "--url": "url",
    "--app": "app",
    "--secret": "secret",
    "--password-file": "password",
  };
  let json = false;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string;
    const [option = "", inline] = word.startsWith("--") ? word.split(/=(.*)/s, 2) : [word];
    // There it is EMQ X's word for the description.
    const isDescription = option === "-d" && words[1] === "create" && (words[0] === "rules" || words[0] === "resources");
    const name = !isDescription && Object.hasOwn(names, option) ? names[option] : undefined;
    if (word === "--") {
      words.push(...argv.slice(i + 1));
      break;
    }
    if (word === "--json") json = true;
    else if (name === undefined) words.push(word);
    else {
      const value = inline ?? argv[++i];
      if (value === undefined) throw new Refused(`${option} needs a value`);
      values[name] = value;
    }
  }
  const { url, app = "", secret = "", dir = "data", password: passwordFile = null } = values;
  return { words, json, passwordFile, target: url === undefined ? { socket: join(dir, CTL_SOCKET) } : { url, app, secret } };
}

/** Run one command; returns the exit code. */
export async function ctl(
  argv: readonly string[],
  streams: Streams = standard,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<number> {
  const line = (text: string): void => streams.out(`${text}\n`);
  let command: Command | undefined;
  try {
    const { words, json, target, passwordFile } = parse(argv, env);
    const [name = "help"] = words;
    command = COMMANDS.find((c) => c.name === name);
    if (!command) {
      for (const usage of usageLines(COMMANDS)) line(usage);
      line(`\n${OPTIONS}`);
      return name === "help" || name === "--help" || name === "-h" ? EXIT.ok : EXIT.failed;
    }
    const password = passwordFile === null ? null : readPassword(passwordFile);
    const [, ...args] = password === null ? words : withPassword(command, words, password);
    const ctx: Context = {
      api: new Client(target),
      json,
      password,
      out: line,
      show(value, lines) {
        if (json) line(JSON.stringify(value, null, 2));
        else for (const text of lines) line(text);
      },
    };
    await command.run(ctx, args);
    return EXIT.ok;
  } catch (err) {
    if (err instanceof UsageError && command) {
      for (const usage of usageLines([command])) line(usage);
      return EXIT.failed;
    }
    if (err instanceof Refused) {
      if (err.message !== "") line(err.message);
    } else if (err instanceof ApiError) {
      line(`Error: ${err.message}`);
      // Once only: a generated secret, say.
      if (err.data !== undefined) line(JSON.stringify(err.data, null, 2));
    } else if (err instanceof Unreachable) {
      streams.err(`${err.message}\n`);
      return EXIT.unreachable;
    } else throw err;
    return EXIT.failed;
  }
}
