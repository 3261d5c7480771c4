/** What the README says to type: its blocks, and a shell in the directory of an installation to type them into. */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Installation } from "./executable.ts";

const README = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");

/** The commands beneath the line that begins so, in bold. */
export function commandsOf(title: string): string {
  const block = README.split(`\n**${title}`)[1]?.split("```sh\n")[1]?.split("```")[0];
  if (block === undefined) throw new Error(`the README has no commands for ${title}`);
  return block;
}

/** All blocks of a section, up to the next heading. */
export function blocksOf(heading: string): string[] {
  const section = README.split(`\n### ${heading}\n`)[1]?.split(/\n##/)[0];
  if (section === undefined) throw new Error(`the README has no section ${heading}`);
  return [...section.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, block]) => block as string);
}

/** In a shell where `baomq` is the installation's program, and these words stand for other commands. Returns what was printed. */
export async function typeInto(baomq: Installation, commands: string, words: Readonly<Record<string, string>> = {}): Promise<string> {
  const bin = join(baomq.dir, "words");
  mkdirSync(bin, { recursive: true });
  for (const [word, command] of Object.entries({ baomq: `exec ${baomq.path} "$@"`, ...words })) {
    writeFileSync(join(bin, word), `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  }
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH ?? ""}` };
  const child = Bun.spawn(["bash", "-e", "-o", "pipefail", "-c", commands], { cwd: baomq.dir, env, stdio: ["ignore", "pipe", "pipe"] });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  expect({ code, out, err }).toMatchObject({ code: 0 });
  return out;
}
