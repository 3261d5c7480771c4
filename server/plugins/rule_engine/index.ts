/**
 * The rule engine: SQL over messages and events, and what is done with the rows it makes. EMQ X 3.1, with what 3.2, 4 and 5 add.
 *
 * With no rule nothing is hooked. With rules the hook only notes what comes (watching.ts); rules look at it behind the broker's output
 * (line.ts), in slices, and whatever takes time is the actions' own affair.
 */
import { join } from "node:path";
import { bytes, flag, text } from "../../lib/config_entry.ts";
import { connectors } from "../_connectors/index.ts";
import { definePlugin } from "../plugin.ts";
import { Engine } from "./engine.ts";
import { ruleEngineService } from "./service.ts";

export const ruleEngine = definePlugin({
  name: "emqx_rule_engine",
  description: "EMQ X Rule Engine",
  version: "v3.1.0",
  activeByDefault: true,
  usesKinds: true,
  config: {
    "rule_engine.ignore_sys_message": flag("on", "Messages below $SYS/ are nobody's business: no rule sees them."),
    "rule_engine.max_waiting": bytes(
      "32MB",
      "Messages and events that wait for rules to look at them, all together; beyond it the oldest are given up, and counted.",
      { required: false },
    ),
    "rule_engine.files": text("", "Directory below which actions may write files; empty = `files` in the node's data.", {
      required: false,
    }),
  },
  start(ctx) {
    ctx.offer(connectors({ files: () => ctx.config["rule_engine.files"] || join(ctx.dataDir, "files") }));
    const engine = new Engine(ctx, {
      ignoresSys: () => ctx.config["rule_engine.ignore_sys_message"],
      maxWaiting: () => ctx.config["rule_engine.max_waiting"],
    });
    return ruleEngineService(engine);
  },
});
