/**
 * Builds dist/dashboard (Vite) and dist/baomq (one executable with everything in it). Nothing is built whose inputs did not change.
 *
 *   bun build.ts                       this machine
 *   bun build.ts --target=linux-arm64  others: linux-x64 linux-arm64 linux-x64-musl linux-arm64-musl darwin-x64 darwin-arm64 windows-x64, or all
 *   --force  build though nothing changed        --quiet  say and measure nothing
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";

const ROOT = import.meta.dir;
const DIST = join(ROOT, "dist");
const ENTRY = "server/main.ts";
/** What runs in threads of their own: found in the executable at the place it has below server/. */
const WORKERS = ["server/plugins/lua_hook/worker/main.ts"];
const TARGETS = ["linux-x64", "linux-arm64", "linux-x64-musl", "linux-arm64-musl", "darwin-x64", "darwin-arm64", "windows-x64"];
/** What the broker logs when every listener is up. */
const READY = /BaoMQ is running/;

/** One number for the content of everything the result depends on. */
function fingerprint(patterns: string[]): string {
  const hash = createHash("sha256").update(`${Bun.version} ${process.platform} ${process.arch}`);
  for (const pattern of patterns) {
    for (const file of [...new Bun.Glob(pattern).scanSync({ cwd: ROOT })].sort())
      hash.update(`\0${file}\0`).update(readFileSync(join(ROOT, file)));
  }
  return hash.digest("hex");
}

/**
 * Packages that the bundler miscompiles. fengari 0.1.5: `module.exports.X = X` of values that it takes for constants becomes an assignment to a literal
 * when syntax is minified ("Invalid assignment target").
 */
const mended: Bun.BunPlugin = {
  name: "mended",
  setup(build) {
    build.onLoad({ filter: /[/\\]fengari[/\\]src[/\\]luaconf\.js$/ }, ({ path }) => {
      const contents = readFileSync(path, "utf8").replace(
        /module\.exports\.(LUA\w+)\s*=\s*(\w+);/g,
        "Object.assign(module.exports, { $1: $2 });",
      );
      return { contents, loader: "js" };
    });
  },
};

async function run(command: string[]): Promise<void> {
  const child = Bun.spawn(command, { cwd: ROOT, stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command.slice(0, 3).join(" ")} failed\n${out}${err}`);
}

/** Runs `make` unless `output` is there and was made from the same inputs. Returns whether it ran. */
async function refresh(output: string, inputs: string, force: boolean, make: () => Promise<void>): Promise<boolean> {
  const stamp = join(DIST, ".inputs", output);
  if (!force && existsSync(join(DIST, output)) && existsSync(stamp) && readFileSync(stamp, "utf8") === inputs) return false;
  await make();
  mkdirSync(join(DIST, ".inputs"), { recursive: true });
  writeFileSync(stamp, inputs);
  return true;
}

function buildDashboard(force: boolean): Promise<boolean> {
  const inputs = fingerprint(["dashboard/**/*", "server/api/contract.ts", "package-lock.json", "build.ts"]);
  return refresh("dashboard", inputs, force, async () => {
    await run([process.execPath, "node_modules/vite/bin/vite.js", "build", "dashboard"]);
    compress(join(DIST, "dashboard"));
  });
}

/** Brotli and gzip beside each file that gets shorter by it: the broker never compresses what it has in it. */
function compress(dir: string): void {
  for (const name of new Bun.Glob("**/*.{html,js,css,svg,json,txt}").scanSync({ cwd: dir })) {
    const file = join(dir, name);
    const plain = readFileSync(file);
    const packed = { br: brotliCompressSync(plain), gz: gzipSync(plain, { level: 9 }) };
    for (const [ending, bytes] of Object.entries(packed)) if (bytes.length < plain.length) writeFileSync(`${file}.${ending}`, bytes);
  }
}

function gitCommit(): string {
  const r = Bun.spawnSync(["git", "rev-parse", "--short", "HEAD"], { cwd: ROOT, stderr: "ignore" });
  return r.success ? r.stdout.toString().trim() : "";
}

/** `target` null = this machine. */
function buildExecutable(target: string | null, force: boolean): Promise<boolean> {
  const name = `baomq${target ? `-${target}` : ""}${(target ?? process.platform).startsWith("win") ? ".exe" : ""}`;
  const inputs = fingerprint(["server/**/*", "dist/dashboard/**/*", "package.json", "package-lock.json", "build.ts"]);
  return refresh(name, inputs, force, async () => {
    const { success, logs } = await Bun.build({
      entrypoints: [ENTRY, ...WORKERS].map((file) => join(ROOT, file)),
      root: join(ROOT, "server"),
      target: "bun",
      format: "esm",
      minify: true,
      bytecode: true,
      sourcemap: "linked",
      define: { BAOMQ_COMMIT: JSON.stringify(gitCommit()), BAOMQ_BUILT_AT: JSON.stringify(new Date().toISOString()) },
      plugins: [mended],
      throw: false,
      compile: {
        ...(target ? { target: `bun-${target}` as Bun.Build.CompileTarget } : {}),
        outfile: join(DIST, name),
        // Whoever starts the broker decides its settings, not a file that happens to lie in the working directory.
        autoloadDotenv: false,
        autoloadBunfig: false,
        ...(existsSync(join(DIST, "dashboard")) ? { assets: ["dist/dashboard"] } : {}),
      },
    });
    if (!success) throw new Error(`building ${name} failed\n${logs.map(String).join("\n")}`);
    // The map is inside the executable; the copy beside it serves nobody.
    for (const map of [`${name}.map`, "main.js.map"]) rmSync(join(DIST, map), { force: true });
  });
}

const median = (ms: number[]): number => ms.sort((a, b) => a - b)[Math.floor(ms.length / 2)] ?? Number.NaN;

/** Milliseconds from spawn to exit of `--version`. */
function timeVersion(exe: string): number {
  const t0 = performance.now();
  Bun.spawnSync([exe, "--version"], { stdio: ["ignore", "ignore", "ignore"] });
  return performance.now() - t0;
}

/** Milliseconds from spawn until the log says that every listener is up, on free ports; null when it does not come up. */
async function timeReady(exe: string): Promise<number | null> {
  const dir = mkdtempSync(join(tmpdir(), "baomq-build-"));
  const ports = ["listener.tcp.external", "listener.tcp.internal", "listener.ssl.external", "listener.ws.external", "listener.wss.external"]
    .concat("management.listener.http", "dashboard.listener.http")
    .flatMap((key) => ["--set", `${key}=127.0.0.1:0`]);
  const t0 = performance.now();
  const child = Bun.spawn([exe, "start", "--data-dir", dir, "--set", "log.level=notice", ...ports], {
    cwd: dir,
    stdout: "pipe",
    stderr: "ignore",
  });
  const giveUp = setTimeout(() => child.kill("SIGKILL"), 10_000);
  let text = "";
  let ready: number | null = null;
  for await (const chunk of child.stdout) {
    text += new TextDecoder().decode(chunk);
    if (!READY.test(text)) continue;
    ready = performance.now() - t0;
    break;
  }
  clearTimeout(giveUp);
  child.kill("SIGTERM");
  await child.exited;
  rmSync(dir, { recursive: true, force: true });
  return ready;
}

async function report(exe: string): Promise<void> {
  const size = (statSync(exe).size / 1024 ** 2).toFixed(1);
  const version = median(Array.from({ length: 7 }, () => timeVersion(exe)));
  const ready: number[] = [];
  for (let i = 0; i < 3; i++) ready.push((await timeReady(exe)) ?? Number.NaN);
  const up = Number.isNaN(median(ready)) ? "did not come up" : `${median(ready).toFixed(0)} ms to all listeners ready`;
  console.log(`dist/baomq: ${size} MB, --version in ${version.toFixed(0)} ms, ${up}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { target: { type: "string", multiple: true }, force: { type: "boolean" }, quiet: { type: "boolean" } },
  });
  const named = (values.target ?? []).flatMap((t) => t.split(","));
  const unknown = named.find((t) => t !== "all" && !TARGETS.includes(t));
  if (unknown) throw new Error(`unknown target ${unknown}; known: ${TARGETS.join(", ")}, all`);
  const targets = named.includes("all") ? TARGETS : named;
  const force = values.force ?? false;
  const say = (line: string) => values.quiet || console.log(line);

  if (existsSync(join(ROOT, "dashboard/index.html"))) say(`dist/dashboard ${(await buildDashboard(force)) ? "built" : "is up to date"}`);
  if (!existsSync(join(ROOT, ENTRY))) return void say(`no ${ENTRY}, no executable`);
  for (const target of targets.length > 0 ? targets : [null]) {
    const name = target ? `baomq-${target}` : "baomq";
    say(`dist/${name} ${(await buildExecutable(target, force)) ? "built" : "is up to date"}`);
  }
  if (targets.length === 0 && !values.quiet) await report(join(DIST, process.platform === "win32" ? "baomq.exe" : "baomq"));
}

try {
  await main();
} catch (err) {
  console.error(err instanceof Error ? err.message : err);
  process.exit(1);
}
