/** A copy of the tree in which one file after the other is made faulty, and the tests that belong to it are run there. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Area } from "./areas.ts";
import { apply, type Mutant } from "./mutants.ts";

export const ROOT = join(import.meta.dir, "../..");
/** A mutant that takes so much longer than the tests usually need hangs. */
const SLOWER = 6;
const SLACK_MS = 4000;
/** Resident memory, MB: a mutant that goes on allocating must not take the machine with it. */
const MEMORY_MB = 3000;

export type Verdict = "failed" | "hangs" | "too large" | "survived";

interface Outcome {
  ok: boolean;
  verdict: Verdict;
  ms: number;
  output: string;
}

/** The stages of an area for one file: the test beside it first. */
export function stagesOf(area: Area, file: string): string[][] {
  const taken = new Set<string>();
  const stages = area.stages.map((globs) => globs.flatMap((g) => [...new Bun.Glob(`tests/${g}`).scanSync(ROOT)]).sort());
  const own = file.replace(/^server\//, "tests/unit/").replace(/\.ts$/, "");
  const beside = stages.flat().filter((t) => t === `${own}.test.ts` || basename(t, ".test.ts") === basename(own));
  return [beside, ...stages]
    .map((files) =>
      files.filter((f) => {
        const isNew = !taken.has(f);
        taken.add(f);
        return isNew;
      }),
    )
    .filter((files) => files.length > 0);
}

export class Workshop {
  readonly dir = mkdtempSync(join(tmpdir(), "baomq-mutate-"));
  /** Ms that a stage takes without a fault. */
  readonly #usual = new Map<string, number>();

  constructor() {
    for (const part of ["server", "tests", "dashboard", "package.json", "bunfig.toml", "tsconfig.json", "README.md", "build.ts"])
      cpSync(join(ROOT, part), join(this.dir, part), { recursive: true });
    for (const part of ["node_modules", "dist"]) symlinkSync(join(ROOT, part), join(this.dir, part));
  }

  async #test(files: readonly string[], limitMs: number): Promise<Outcome> {
    const started = performance.now();
    const child = Bun.spawn([process.execPath, "test", "--bail", "--timeout=10000", ...files.map((f) => `./${f}`)], {
      cwd: this.dir,
      env: { ...process.env, TMPDIR: this.dir },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let verdict: Verdict = "failed";
    const end = (why: Verdict): void => {
      verdict = why;
      child.kill("SIGKILL");
    };
    const watch = setInterval(() => {
      if (performance.now() - started > limitMs) end("hangs");
      else if (residentMb(child.pid) > MEMORY_MB) end("too large");
    }, 100);
    const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    clearInterval(watch);
    return { ok: code === 0, verdict, ms: performance.now() - started, output: out + err };
  }

  /** Runs the stages without a fault: they must pass, and the time they take is the measure for the rest. */
  async calibrate(stages: readonly (readonly string[])[]): Promise<void> {
    for (const files of stages) {
      const key = files.join(" ");
      if (this.#usual.has(key)) continue;
      const r = await this.#test(files, 600_000);
      if (!r.ok) throw new Error(`the tests fail without any fault:\n${r.output.slice(-3000)}`);
      this.#usual.set(key, r.ms);
    }
  }

  async try(m: Mutant, stages: readonly (readonly string[])[]): Promise<Verdict> {
    const path = join(this.dir, m.file);
    const source = readFileSync(path, "utf8");
    writeFileSync(path, apply(source, m));
    try {
      for (const files of stages) {
        const r = await this.#test(files, (this.#usual.get(files.join(" ")) ?? 10_000) * SLOWER + SLACK_MS);
        if (!r.ok) return r.verdict;
      }
      return "survived";
    } finally {
      writeFileSync(path, source);
    }
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function residentMb(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
