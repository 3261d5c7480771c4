/** Biome over everything. Its warnings and its remarks fail as errors do: what nobody has to mend is soon read by nobody. */
const biome = Bun.spawn(
  [process.execPath, "node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", "--max-diagnostics=200", "."],
  { stdio: ["ignore", "pipe", "inherit"] },
);
const text = await new Response(biome.stdout).text();
process.stdout.write(text);
const code = await biome.exited;
process.exit(code || (/^Found \d+ infos?\./m.test(text) ? 1 : 0));
