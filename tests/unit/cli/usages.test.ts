import { expect, test } from "bun:test";
import { ctl } from "../../../server/cli/index.ts";

/** Usages of EMQ X 3.1.0 and its plugins, but those that speak of Erlang (vm, recon). Runs of blanks are one here. */
const USAGES: readonly (readonly [syntax: string, about: string])[] = [
  ["mgmt list", "List Applications"],
  ["mgmt insert <AppId> <Name>", "Add Application of REST API"],
  ["mgmt update <AppId> <status>", "Update Application of REST API"],
  ["mgmt lookup <AppId>", "Get Application of REST API"],
  ["mgmt delete <AppId>", "Delete Application of REST API"],
  ["broker", "Show broker version, uptime and description"],
  ["broker stats", "Show broker statistics of clients, topics, subscribers"],
  ["broker metrics", "Show broker metrics"],
  ["cluster join <Node>", "Join the cluster"],
  ["cluster leave", "Leave the cluster"],
  ["cluster force-leave <Node>", "Force the node leave from cluster"],
  ["cluster status", "Cluster status"],
  ["acl reload", "reload etc/acl.conf"],
  ["clients list", "List all clients"],
  ["clients show <ClientId>", "Show a client"],
  ["clients kick <ClientId>", "Kick out a client"],
  ["sessions list", "List all sessions"],
  ["sessions show <ClientId>", "Show a session"],
  ["routes list", "List all routes"],
  ["routes show <Topic>", "Show a route"],
  ["subscriptions list", "List all subscriptions"],
  ["subscriptions show <ClientId>", "Show subscriptions of a client"],
  ["subscriptions add <ClientId> <Topic> <QoS>", "Add a static subscription manually"],
  ["subscriptions del <ClientId> <Topic>", "Delete a static subscription manually"],
  ["plugins list", "Show loaded plugins"],
  ["plugins load <Plugin>", "Load plugin"],
  ["plugins unload <Plugin>", "Unload plugin"],
  ["plugins reload <Plugin>", "Reload plugin"],
  ["bridges list", "List bridges"],
  ["bridges start <Name>", "Start a bridge"],
  ["bridges stop <Name>", "Stop a bridge"],
  ["bridges forwards <Name>", "Show a bridge forward topic"],
  ["bridges add-forward <Name> <Topic>", "Add bridge forward topic"],
  ["bridges del-forward <Name> <Topic>", "Delete bridge forward topic"],
  ["bridges subscriptions <Name>", "Show a bridge subscriptions topic"],
  ["bridges add-subscription <Name> <Topic> <Qos>", "Add bridge subscriptions topic"],
  ["bridges del-subscription <Name> <Topic>", "Delete bridge subscriptions topic"],
  ["log set-level <Level>", "Set the overall log level"],
  ["log primary-level", "Show the primary log level now"],
  ["log primary-level <Level>", "Set the primary log level"],
  ["log handlers list", "Show log handlers"],
  ["log handlers set-level <HandlerId> <Level>", "Set log level of a log handler"],
  ["trace list", "List all traces started"],
  ["trace start client <ClientId> <File> [<Level>]", "Traces for a client"],
  ["trace stop client <ClientId>", "Stop tracing for a client"],
  ["trace start topic <Topic> <File> [<Level>]", "Traces for a topic"],
  ["trace stop topic <Topic>", "Stop tracing for a topic"],
  ["listeners", "List listeners"],
  ["listeners stop <Proto> <Port>", "Stop a listener"],
  ["rules list", "List all rules"],
  ["rules show <RuleId>", "Show a rule"],
  ["rules create", "Create a rule"],
  ["rules delete <RuleId>", "Delete a rule"],
  ["rule-actions list", "List all actions"],
  ["rule-actions show <ActionId>", "Show a rule action"],
  ["resources create", "Create a resource"],
  ["resources list [-t <ResourceType>]", "List all resources"],
  ["resources show <ResourceId>", "Show a resource"],
  ["resources delete <ResourceId>", "Delete a resource"],
  ["resource-types list", "List all resource-types"],
  ["resource-types show <Type>", "Show a resource-type"],
  ["retainer info", "Show the count of retained messages"],
  ["retainer topics", "Show all topics of retained messages"],
  ["retainer clean", "Clean all retained messages"],
  ["admins add <Username> <Password> <Tags>", "Add dashboard user"],
  ["admins passwd <Username> <Password>", "Reset dashboard user password"],
  ["admins del <Username>", "Delete dashboard user"],
  ["users list", "List users"],
  ["users add <Username> <Password>", "Add User"],
  ["users update <Username> <NewPassword>", "Update User"],
  ["users del <Username>", "Delete User"],
  ["clientid list", "List ClientId"],
  ["clientid add <ClientId> <Password>", "Add ClientId"],
  ["clientid update <Clientid> <NewPassword>", "Update Clientid"],
  ["clientid del <ClientId>", "Delete ClientId"],
  ["status", "Show broker status"],
];
/** Deliberate: the remark may be left out; the argument is spelt as in the other lines. */
const OURS: Readonly<Record<string, string>> = {
  "admins add <Username> <Password> <Tags>": "admins add <Username> <Password> [<Tags>]",
  "clientid update <Clientid> <NewPassword>": "clientid update <ClientId> <NewPassword>",
  "Update Clientid": "Update ClientId",
};

test("every usage of EMQ X 3.1 is one of ours, with its words", async () => {
  const help: string[] = [];
  expect(await ctl([], { out: (text) => void help.push(text), err: () => {} }, {})).toBe(0);
  const ours = help
    .join("")
    .split("\n")
    .map((line) => line.split("# ").map((part) => part.trim()));
  for (const [syntax, about] of USAGES) expect(ours).toContainEqual([OURS[syntax] ?? syntax, OURS[about] ?? about]);
});
