/** Authentication by client identifier and password, the accounts kept on disk. EMQ X 3.1. */
import { oneOf } from "../../lib/config_entry.ts";
import { createAccounts } from "../_auth/accounts.ts";
import { HASH_KINDS } from "../_auth/password.ts";
import { definePlugin } from "../plugin.ts";

export const authClientid = definePlugin({
  name: "emqx_auth_clientid",
  description: "EMQ X Authentication with ClientId/Password",
  version: "v3.1.0",
  activeByDefault: false,
  config: {
    "auth.client.password_hash": oneOf(
      HASH_KINDS,
      "sha256",
      "How passwords of new accounts are kept; accounts that exist stay as they are.",
    ),
  },
  liveKeys: { "auth.client.password_hash": "enum" },
  start(ctx) {
    const accounts = createAccounts(
      ctx.store.accounts(ctx.name),
      ({ clientId }) => clientId,
      () => ctx.config["auth.client.password_hash"],
      ctx.broker.count,
    );
    ctx.hook("client.authenticate", accounts.check, { anonymous: true });
    return accounts;
  },
});
