/** All scripts: found in their directory, loaded, watched for changes, commanded. */
import { join } from "node:path";
import { whyUnreadable } from "../../lib/file_errors.ts";
import type { ScriptCommand } from "../plugin.ts";
import { EXPECTED_NAME, languageOf, type ScriptFile, scriptFiles, setDisabled } from "./files.ts";
import { Script, type ScriptHost } from "./script.ts";

/** Each has a limit of time to be loaded, and all of them share the machine's cores: many at once are slow. */
const AT_A_TIME = 4;

async function someAtATime<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  const left = all.values();
  await Promise.all(
    Array.from({ length: AT_A_TIME }, async () => {
      for (const one of left) await work(one);
    }),
  );
}

export class Scripts {
  /** In order of their names: that is the order in which they are asked. */
  all: readonly Script[] = [];
  /** What the last look said of each file: one that is still being written is not loaded. */
  #lastSeen = new Map<string, string>();
  /** A look and a command do not cross. */
  #queue: Promise<unknown> = Promise.resolve();
  #looking = false;
  #toldLeft = 0;
  #toldUnread = "";
  #closed = false;

  constructor(
    readonly dir: string,
    private readonly by: ScriptHost & { warn(message: string, fields: Record<string, unknown>): void },
  ) {}

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#queue.then(work);
    this.#queue = next.catch(() => {});
    return next;
  }

  /** Load what is there. Resolves with why it is not known what there is; null = it is. */
  open(): Promise<string | null> {
    return this.#inTurn(async () => {
      const files = await this.#files();
      if (typeof files === "string") return files;
      await someAtATime(files, (file) => this.#begin(file));
      return null;
    });
  }

  /** Look for files that have come, changed or gone. Looks that come too close are left out. */
  look(): void {
    if (this.#looking || this.#closed) return;
    this.#looking = true;
    void this.#inTurn(() => this.#look()).finally(() => {
      this.#looking = false;
    });
  }

  /** A text = why they are not known: then those that there were are still there. */
  async #files(): Promise<ScriptFile[] | string> {
    try {
      const { files, left } = await scriptFiles(this.dir);
      if (left !== this.#toldLeft && left > 0)
        this.by.warn("more scripts than may run: the last ones are left out", { dir: this.dir, left });
      this.#toldLeft = left;
      this.#toldUnread = "";
      return files;
    } catch (err) {
      const error = whyUnreadable(err);
      if (error !== this.#toldUnread) this.by.warn("the directory of the scripts cannot be read", { dir: this.dir, error });
      this.#toldUnread = error;
      return `the directory of the scripts, ${this.dir}, cannot be read: ${error}`;
    }
  }

  #begin(file: ScriptFile): Promise<string | null> {
    const language = languageOf(file.name);
    // Only files with the name of a script are found.
    if (language === null || this.#closed) return Promise.resolve(null);
    const script = new Script(file.name, language, join(this.dir, file.name), this.by);
    script.seen = file.seen;
    this.#lastSeen.set(file.name, file.seen);
    this.all = [...this.all, script].sort((a, b) => (a.name < b.name ? -1 : 1));
    if (!file.disabled) return script.load();
    script.end("disabled");
    return Promise.resolve(null);
  }

  async #look(): Promise<void> {
    const files = await this.#files();
    if (typeof files === "string") return;
    const there = new Set(files.map((f) => f.name));
    for (const script of this.all.filter((s) => !there.has(s.name))) this.#forget(script);
    const settled = files.filter((f) => this.#lastSeen.get(f.name) === f.seen);
    for (const file of files) this.#lastSeen.set(file.name, file.seen);
    await someAtATime(settled, (file) => this.#follow(file));
  }

  /** As its file says. */
  async #follow(file: ScriptFile): Promise<void> {
    const script = this.find(file.name);
    if (script === undefined) await this.#begin(file);
    else if (file.disabled) {
      if (script.state !== "disabled") script.end("disabled");
    } else if (script.state === "disabled" || (script.seen !== file.seen && script.state !== "unloaded"))
      await this.#load(script, file.seen);
  }

  #forget(script: Script): void {
    script.end("unloaded");
    this.#lastSeen.delete(script.name);
    this.all = this.all.filter((s) => s !== script);
  }

  #load(script: Script, seen: string): Promise<string | null> {
    if (this.#closed) return Promise.resolve(null);
    script.seen = seen;
    return script.load();
  }

  find(name: string): Script | undefined {
    return this.all.find((s) => s.name === name);
  }

  /** Resolves with why it was not done; null = done. */
  command(command: ScriptCommand, name: string): Promise<string | null> {
    if (languageOf(name) === null) return Promise.resolve(`bad name: expected ${EXPECTED_NAME}`);
    return this.#inTurn(async () => {
      if (command === "enable" || command === "disable") {
        try {
          await setDisabled(this.dir, name, command === "disable");
        } catch (err) {
          return (err as { code?: string }).code?.toLowerCase() ?? whyUnreadable(err);
        }
      }
      const files = await this.#files();
      if (typeof files === "string") return files;
      const file = files.find((f) => f.name === name);
      const script = this.find(name);
      if (command === "unload" || command === "disable") {
        // EMQ X 3.1 unloads what is not there, too.
        if (file !== undefined) script?.end(file.disabled ? "disabled" : "unloaded");
        return null;
      }
      if (file === undefined) return "enoent";
      if (file.disabled) return "it is disabled";
      if (script === undefined) return this.#begin(file);
      // As EMQ X 3.1: what is loaded already is left as it is.
      if (command === "load" && script.active && script.seen === file.seen) return null;
      return this.#load(script, file.seen);
    });
  }

  /** Those that run, or would if they could, as their files are now. */
  loadAgain(): void {
    const isWanted = (script: Script): boolean => (script.active || script.state === "failed") && !this.#closed;
    void this.#inTurn(() => someAtATime(this.all, async (script) => (isWanted(script) ? script.load() : null)));
  }

  watch(everyMs: number): void {
    for (const script of this.all) script.watch(everyMs);
  }

  close(): void {
    this.#closed = true;
    for (const script of this.all) script.end("unloaded");
    this.all = [];
  }
}
