/** The whole configuration as a commented file: every key with its words and default, all commented out. */
import { Keys, type NamedTable } from "./keys.ts";
import { CORE_KEYS } from "./schema.ts";

const WIDTH = 120;

export function sampleConfig(tables: readonly NamedTable[]): string {
  const keys = new Keys([{ app: "emqx", table: CORE_KEYS }, ...tables]);
  const lines = [
    "## BaoMQ: every setting, with its default. Remove the # in front of a line to change it.",
    "## The same keys as EMQ X 3.1; also by environment (EMQX_MQTT__MAX_PACKET_SIZE) and by --set mqtt.max_packet_size=2MB.",
  ];
  let group = "";
  for (const { pattern, entry, app } of keys.rows) {
    if (entry.hidden || entry.ignored !== null) continue;
    const head = app === "emqx" ? (pattern.split(".")[0] as string) : app;
    if (head !== group) lines.push("", `## ---- ${head}`);
    group = head;
    lines.push("", ...wrap(`${entry.doc} Expected: ${entry.expects}.`), `# ${example(pattern)} = ${entry.default}`);
  }
  return `${lines.join("\n")}\n`;
}

function wrap(words: string): string[] {
  const lines: string[] = [];
  let line = "##";
  for (const word of words.split(" ")) {
    if (line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = "##";
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** Placeholders by the names that ship, so that a line works as it stands. */
function example(pattern: string): string {
  return pattern.replace("$name", "external").replace(/\$n\b|\$id\b/, "1");
}
