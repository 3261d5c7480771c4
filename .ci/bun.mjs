// Finds Bun (or installs it with the other dependencies), then runs a script or one of the commands below with it.
// Runs under Node and under Bun, so that `npm start` and `bun run start` are the same thing on a machine that has only one of them.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const wanted = manifest.devDependencies.bun;
const exe = process.platform === "win32" ? ".exe" : "";

/** @param {string} version */
const rank = (version) => version.split(".").reduce((sum, n) => sum * 1000 + Number.parseInt(n, 10), 0);
/** @param {string} bun */
const isGood = (bun) => {
  const r = spawnSync(bun, ["--version"], { encoding: "utf8" });
  return r.status === 0 && rank(r.stdout.trim()) >= rank(wanted);
};
const find = () => {
  if (process.versions.bun && rank(process.versions.bun) >= rank(wanted)) return process.execPath;
  // The pinned one first. The install script of npm's package moves it from @oven to bun/bin; where npm did not run it, it still lies in @oven.
  const oven = join(root, "node_modules", "@oven");
  const inside = existsSync(oven) ? readdirSync(oven).map((d) => join(oven, d, "bin", `bun${exe}`)) : [];
  return [join(root, "node_modules", "bun", "bin", "bun.exe"), ...inside, "bun"].find(isGood);
};

/**
 * Runs to the end; signals are passed on. A terminal's Ctrl-C reaches the child by itself, as they share a process group.
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<number>}
 */
const run = (command, args) =>
  new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "inherit", cwd: root, shell: process.platform === "win32" && command === "npm" });
    /** @param {NodeJS.Signals} signal */
    const relay = (signal) => (signal === "SIGINT" && process.stdin.isTTY) || child.kill(signal);
    /** @type {NodeJS.Signals[]} */
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const s of signals) process.on(s, relay);
    child.on("error", (err) => {
      console.error(`cannot run ${command}: ${err.message}`);
      resolve(1);
    });
    child.on("close", (code, signal) => {
      for (const s of signals) process.off(s, relay);
      resolve(code ?? (signal ? 1 : 0));
    });
  });

/**
 * Exactly what package-lock.json says, by Bun or by npm: both read it, both refuse one that package.json does not agree with. What was
 * installed last is remembered, so that a pulled change is installed too.
 * @param {string | undefined} bun
 */
const install = async (bun) => {
  const hash = createHash("sha256");
  for (const file of ["package.json", "package-lock.json"]) hash.update(readFileSync(join(root, file)));
  const wanted = hash.digest("hex");
  const stamp = join(root, "node_modules", ".installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return 0;
  const code = bun ? await run(bun, ["install", "--frozen-lockfile"]) : await run("npm", ["ci", "--no-audit", "--no-fund"]);
  if (code === 0) writeFileSync(stamp, wanted);
  return code;
};

/**
 * Each step is a script for Bun with its arguments; one that starts with "=" is a program of ours. The first failure ends the list.
 * @type {Record<string, (args: string[]) => [string, ...string[]][]>}
 */
const steps = {
  start: (args) => [
    ["build.ts", "--quiet"],
    ["=dist/baomq", "start", ...args],
  ],
  dev: (args) => [[".ci/dev.ts", ...args]],
  test: (args) => [
    ["build.ts", "--quiet"],
    ["tests/run.ts", ...args],
  ],
  ok: () => [[".ci/ok.ts"]],
};

const main = async () => {
  let bun = find();
  const failed = await install(bun);
  if (failed) return failed;
  bun ??= find();
  if (!bun) {
    console.error(
      `no usable Bun: npm installed none for ${process.platform}-${process.arch}; install Bun ${wanted} or newer from https://bun.com`,
    );
    return 1;
  }
  const [name = "", ...args] = process.argv.slice(2);
  const list = Object.hasOwn(steps, name) ? steps[name]?.(args) : undefined;
  for (const [file, ...rest] of list ?? [[name, ...args]]) {
    const code = file.startsWith("=") ? await run(join(root, file.slice(1)) + exe, rest) : await run(bun, [file, ...rest]);
    if (code) return code;
  }
  return 0;
};

process.exit(await main());
