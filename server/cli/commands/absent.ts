/**
 * Commands of a part that BaoMQ has not: MQTT bridges of the configuration. Their usages and words are those of EMQ X 3.1 where it has none of
 * them configured, so that scripts which only look go on; what would make one is refused.
 */
import { type Command, type Context, Refused, subcommands, take } from "../command.ts";

type Handler = (ctx: Context, args: readonly string[]) => Promise<void>;

/** There are none. */
const none: Handler = async (ctx, args) => {
  take(args, 0);
  ctx.show([], []);
};

const refused =
  (n: number, words: string): Handler =>
  async (_, args) => {
    take(args, n);
    throw new Refused(words);
  };

export const absentCommands: readonly Command[] = [
  {
    name: "bridges",
    usage: [
      ["bridges list", "List bridges"],
      ["bridges start <Name>", "Start a bridge"],
      ["bridges stop <Name>", "Stop a bridge"],
      ["bridges forwards <Name>", "Show a bridge forward topic"],
      ["bridges add-forward <Name> <Topic>", "Add bridge forward topic"],
      ["bridges del-forward <Name> <Topic>", "Delete bridge forward topic"],
      ["bridges subscriptions <Name>", "Show a bridge subscriptions topic"],
      ["bridges add-subscription <Name> <Topic> <Qos>", "Add bridge subscriptions topic"],
      ["bridges del-subscription <Name> <Topic>", "Delete bridge subscriptions topic"],
    ],
    run: subcommands({
      list: none,
      start: refused(1, "Start bridge failed."),
      stop: refused(1, "Stop bridge failed."),
      forwards: refused(1, "Not Found."),
      "add-forward": refused(2, "Add-forward failed reason: not_found."),
      "del-forward": refused(2, "Del-forward failed reason: not_found."),
      subscriptions: refused(1, "Not Found."),
      "add-subscription": refused(3, "Add-subscription failed reason: not_found."),
      "del-subscription": refused(2, "Del-subscription failed reason: not_found."),
    }),
  },
];
