/**
 * Commands of parts that BaoMQ has not: MQTT bridges and the rule engine. Their usages and words are those of EMQ X 3.1 where it has none of
 * them configured, so that scripts which only look go on; what would make one is refused.
 */
import { type Command, type Context, Refused, subcommands, take } from "../command.ts";

type Handler = (ctx: Context, args: readonly string[]) => Promise<void>;

/** There are none. */
const none =
  (most = 0): Handler =>
  async (ctx, args) => {
    take(args, 0, most);
    ctx.show([], []);
  };

const refused =
  (least: number, most: number, words: (name: string) => string): Handler =>
  async (_, args) => {
    const [name = ""] = take(args, least, most - least);
    throw new Refused(words(name));
  };

/** `delete` of EMQ X 3.1 says ok whether it was there or not. */
const gone: Handler = async (ctx, args) => {
  const [name] = take(args, 1);
  ctx.show({ deleted: name }, ["ok"]);
};

const ANY = Number.MAX_SAFE_INTEGER;
const unknown = (name: string): string => `Cannot found ${name}`;
const noRules = (): string => "Invalid options: there is no rule engine in this program";

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
      list: none(),
      start: refused(1, 1, () => "Start bridge failed."),
      stop: refused(1, 1, () => "Stop bridge failed."),
      forwards: refused(1, 1, () => "Not Found."),
      "add-forward": refused(2, 2, () => "Add-forward failed reason: not_found."),
      "del-forward": refused(2, 2, () => "Del-forward failed reason: not_found."),
      subscriptions: refused(1, 1, () => "Not Found."),
      "add-subscription": refused(3, 3, () => "Add-subscription failed reason: not_found."),
      "del-subscription": refused(2, 2, () => "Del-subscription failed reason: not_found."),
    }),
  },
  {
    name: "rules",
    usage: [
      ["rules list", "List all rules"],
      ["rules show <RuleId>", "Show a rule"],
      ["rules create", "Create a rule"],
      ["rules delete <RuleId>", "Delete a rule"],
    ],
    run: subcommands({ list: none(), show: refused(1, 1, unknown), create: refused(0, ANY, noRules), delete: gone }),
  },
  {
    name: "rule-actions",
    usage: [
      ["rule-actions list", "List all actions"],
      ["rule-actions show <ActionId>", "Show a rule action"],
    ],
    // `-t <type> -k <hook>`
    run: subcommands({ list: none(4), show: refused(1, 1, unknown) }),
  },
  {
    name: "resources",
    usage: [
      ["resources create", "Create a resource"],
      ["resources list [-t <ResourceType>]", "List all resources"],
      ["resources show <ResourceId>", "Show a resource"],
      ["resources delete <ResourceId>", "Delete a resource"],
    ],
    run: subcommands({ create: refused(0, ANY, noRules), list: none(2), show: refused(1, 1, unknown), delete: gone }),
  },
  {
    name: "resource-types",
    usage: [
      ["resource-types list", "List all resource-types"],
      ["resource-types show <Type>", "Show a resource-type"],
    ],
    run: subcommands({ list: none(), show: refused(1, 1, unknown) }),
  },
];
