#!/usr/bin/env bun
/** The program: what to do is in the first words of the command line. */
import { basename } from "node:path";
import { buildInfo } from "./lib/build_info.ts";

const HELP = `BaoMQ ${buildInfo.version}: MQTT broker with REST API and dashboard in one executable.

  baomq start [--config FILE] [--data-dir DIR] [--set KEY=VALUE …]   run the broker
  baomq ctl <command> …            manage a running broker (baomq ctl help)
  baomq config sample              print the whole commented configuration
  baomq config check [--config FILE] [--data-dir DIR] [--set KEY=VALUE …]   check a configuration, change nothing
  baomq config unset KEY … | --all [--data-dir DIR]   take back what was set through the API, while the broker does not run
  baomq --version | --help

Options of start and config:
  -c, --config FILE         configuration file (default etc/emqx.conf if it is there)
  -d, --data-dir DIR        directory for data, certificates and the command line's socket (default data)
  -s, --set KEY=VALUE       one setting; stands above file, API and environment
      --admin-password TEXT password of the dashboard user admin at the first start
      --admin-password-file FILE   the same, read from a file

Settings also come from the environment: EMQX_ or BAOMQ_, the key in capitals, __ for dots (EMQX_MQTT__MAX_PACKET_SIZE=2MB).
`;

/** Returns the exit code; a running broker returns when it has been stopped. */
async function main(argv: string[]): Promise<number> {
  const called = basename(process.argv0).replace(/\.exe$/, "");
  if (called === "emqx_ctl" || called === "baomq_ctl") return (await import("./cli/index.ts")).ctl(argv);
  const [command, ...rest] = argv;
  if ((command === "start" || command === "config") && rest.some((w) => w === "--help" || w === "-h")) return help();
  switch (command) {
    case "start":
    case "config":
      return (await import("./run.ts")).run(command, rest);
    case "ctl":
      return (await import("./cli/index.ts")).ctl(rest);
    case "--version":
    case "-v":
    case "version": {
      const built = [buildInfo.commit, buildInfo.builtAt].filter((t) => t !== "").join(", ");
      process.stdout.write(`baomq ${buildInfo.version}${built === "" ? "" : ` (${built})`}, Bun ${Bun.version}\n`);
      return 0;
    }
    case "--help":
    case "-h":
    case "help":
      return help();
    case undefined:
      process.stderr.write(HELP);
      return 1;
    default:
      process.stderr.write(`baomq: there is no command ${JSON.stringify(command)}; baomq --help shows what there is\n`);
      return 1;
  }
}

function help(): number {
  process.stdout.write(HELP);
  return 0;
}

process.exit(await main(process.argv.slice(2)));
