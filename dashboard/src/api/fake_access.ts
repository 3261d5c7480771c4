/** The made-up broker's access chain, file of rules and hashes. */
import type { AccessView, AclCheck, AclFileRow } from "./client.ts";
import { data, fail, type On, text } from "./fake_reply.ts";
import { NODE, type State } from "./fake_state.ts";

const RULES = `{allow, {user, "dashboard"}, subscribe, ["$SYS/#"]}.
{allow, {ipaddr, "127.0.0.1"}, pubsub, ["$SYS/#", "#"]}.
{deny, all, subscribe, ["$SYS/#", {eq, "#"}]}.
{allow, all}.
`;

/** As much of the real check as a demonstration needs: each rule ends with a full stop. */
function checked(rules: string): AclCheck {
  const lines = rules.split("\n");
  const bad = lines.findIndex((line) => line.trim() !== "" && !line.startsWith("%") && !/^\{(?:allow|deny),.*\}\.$/.test(line.trim()));
  if (bad >= 0)
    return {
      rules: 0,
      error: { line: bad + 1, column: 1, message: `expected a rule such as {allow, all}, found ${lines[bad]?.slice(0, 20)}` },
    };
  return { rules: lines.filter((line) => line.startsWith("{")).length, error: null };
}

export function access(s: State, on: On): void {
  const file: AclFileRow = { path: "/opt/baomq/etc/acl.conf", text: RULES, exists: false, former: null };
  on("GET", "/nodes/:node/access", "The access chain as it runs", () => {
    const running = s.plugins.filter((p) => p.active && p.name.startsWith("emqx_auth_"));
    const view: AccessView = {
      node: NODE,
      authentication: running.map((p) => ({
        step: p.name,
        plugin: p.name,
        description: p.description,
        failures: 0,
        on_error: p.status?.servers.length ? "deny" : null,
        while_down: p.status?.servers.length ? "deny" : null,
        asks_topics: p.status !== null && p.status.acl !== null,
        status: p.status,
      })),
      acl: [
        { step: "acl_file", plugin: null, description: "", failures: 0, on_error: null, while_down: null, asks_topics: true, status: null },
      ],
      zones: ["external", "internal"].map((zone) => ({
        zone,
        allow_anonymous: true,
        acl_nomatch: "allow",
        acl_deny_action: "ignore",
        enable_acl: true,
        enable_ban: true,
        enable_flapping_detect: false,
      })),
      warnings: [
        { what: running.length === 0 ? "everybody" : "unknown", zone: "external" },
        { what: "open_rules", zone: "external", actions: ["publish", "subscribe"] },
      ],
    };
    return data(view);
  });
  on("GET", "/nodes/:node/acl_file", "The file of access rules", () => data({ ...file }));
  on("PUT", "/nodes/:node/acl_file", "Replace the file of access rules", ({ body }) => {
    const found = checked(text(body.text));
    if (found.error !== null) return fail(108, `line ${found.error.line}, column ${found.error.column}: ${found.error.message}`);
    Object.assign(file, { text: text(body.text), exists: true, former: file.text });
    return data(found);
  });
  on("POST", "/acl/check", "Are these access rules", ({ body }) => data(checked(text(body.text))));
  on("POST", "/password_hash", "Which password_hash fits", ({ body }) => data(body.stored === body.password ? ["plain"] : []));
}
