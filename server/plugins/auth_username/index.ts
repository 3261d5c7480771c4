/** Authentication by user name and password, the accounts kept on disk. EMQ X 3.1. */
import { oneOf } from "../../lib/config_entry.ts";
import { createAccounts } from "../_auth/accounts.ts";
import { HASH_KINDS } from "../_auth/password.ts";
import { definePlugin } from "../plugin.ts";

export const authUsername = definePlugin({
  name: "emqx_auth_username",
  description: "EMQ X Authentication with Username and Password",
  version: "v3.1.0",
  activeByDefault: false,
  config: {
    "auth.user.password_hash": oneOf(HASH_KINDS, "sha256", "How passwords of new accounts are kept; accounts that exist stay as they are."),
  },
  liveKeys: { "auth.user.password_hash": "enum" },
  start(ctx) {
    const accounts = createAccounts(
      ctx.store.accounts(ctx.name),
      ({ username }) => username,
      () => ctx.config["auth.user.password_hash"],
      ctx.broker.count,
    );
    ctx.hook("client.authenticate", accounts.check);
    return accounts;
  },
});
