/** What the web hook could not deliver. */
import { type Command, subcommands } from "../command.ts";
import { deadLetters } from "./dead_letters.ts";

export const webHookCommands: readonly Command[] = [
  {
    name: "webhook",
    usage: [
      ["webhook dead-letters list", "List what the web hook's service would not take"],
      ["webhook dead-letters resend [<Id> ...]", "Send dead letters again, or all of them"],
      ["webhook dead-letters delete <Id> ...", "Delete dead letters"],
      ["webhook dead-letters delete all", "Delete all of them"],
    ],
    run: subcommands({
      "dead-letters": deadLetters(
        0,
        () => "/web_hook/dead_letters",
        (ask) => ask,
      ),
    }),
  },
];
