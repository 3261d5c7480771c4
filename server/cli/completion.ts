/** Shell completion, made from the usages: words of the commands, nothing asked of the node. */
import type { Command } from "./command.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Words before each place -> words that may follow. `<…>` ends a path. */
function follow(commands: readonly Command[]): Map<string, Set<string>> {
  const next = new Map<string, Set<string>>();
  for (const { usage } of commands) {
    for (const [syntax] of usage) {
      let before = "";
      for (const word of syntax.split(" ")) {
        if (/[<[]/.test(word)) break;
        const words = next.get(before) ?? new Set<string>();
        next.set(before, words.add(word));
        before = before === "" ? word : `${before} ${word}`;
      }
    }
  }
  return next;
}

function bash(next: Map<string, Set<string>>): string {
  const cases = [...next].map(([before, words]) => `    "${before}") words="${[...words].join(" ")}" ;;`);
  return `_baomq() {
  local words="" path="" i=1
  if [ "\${COMP_WORDS[0]##*/}" != emqx_ctl ] && [ "\${COMP_WORDS[0]##*/}" != baomq_ctl ]; then
    if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "start ctl config --help --version" -- "\${COMP_WORDS[1]}")); return; fi
    [ "\${COMP_WORDS[1]}" = ctl ] || return
    i=2
  fi
  for (( ; i < COMP_CWORD; i++ )); do
    case "\${COMP_WORDS[i]}" in --json) ;; *) path="\${path:+$path }\${COMP_WORDS[i]}" ;; esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _baomq baomq baomq_ctl emqx_ctl
`;
}

function fish(commands: readonly Command[], next: Map<string, Set<string>>): string {
  const about = new Map(commands.map((c) => [c.name, c.usage[0]?.[1] ?? ""]));
  const lines = ["complete -c baomq -f", "complete -c baomq -n __fish_use_subcommand -a 'start ctl config'"];
  for (const [before, words] of next) {
    const seen = ["ctl", ...(before === "" ? [] : before.split(" "))].map((w) => `__fish_seen_subcommand_from ${w}`).join("; and ");
    const unseen = before === "" ? `; and not __fish_seen_subcommand_from ${[...words].join(" ")}` : "";
    for (const word of words) {
      const text = before === "" ? ` -d '${(about.get(word) ?? "").replaceAll("'", "")}'` : "";
      lines.push(`complete -c baomq -n '${seen}${unseen}' -a '${word}'${text}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

export function completion(shell: Shell, commands: readonly Command[]): string {
  const next = follow(commands);
  if (shell === "fish") return fish(commands, next);
  // zsh understands bash's functions.
  return shell === "zsh" ? `#compdef baomq baomq_ctl emqx_ctl\nautoload -U +X bashcompinit && bashcompinit\n${bash(next)}` : bash(next);
}
