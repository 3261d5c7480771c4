/** Accounts of MQTT clients kept by emqx_auth_username and emqx_auth_clientid. */
import { MASK } from "../lib/mask.ts";
import type { AccountService } from "../plugins/services.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import { notRunning } from "./refusals.ts";

export type AccountPlugin = "emqx_auth_username" | "emqx_auth_clientid";

/** The words of EMQ X 3.1, misspelt differently in each plugin. */
const WORDS = {
  emqx_auth_username: { field: "username", existed: "existed", unknown: "noexisted" },
  emqx_auth_clientid: { field: "clientid", existed: "exitsted", unknown: "noexitsted" },
} as const;

export function createAccounts({ broker, plugins }: AdminDeps, plugin: AccountPlugin) {
  const words = WORDS[plugin];

  function service(): AccountService {
    const running = plugins.service(plugin);
    if (!running) throw notRunning(plugin);
    return running;
  }

  /** 3.1 answers the name of the bad field. */
  const required = (value: unknown, field: string): string => {
    if (typeof value !== "string" || value === "") throw new AdminError(CODE.MISSING_PARAMETER, field);
    return value;
  };

  return {
    list: (): string[] => service().list(),

    /** @throws AdminError 102 */
    lookup(name: string): Record<string, string> {
      const account = service().get(name);
      if (!account) throw new AdminError(CODE.UNKNOWN, words.unknown);
      // EMQ X 3.1 showed the hash: that invites guessing.
      return { [words.field]: account.name, password: MASK, password_hash: account.kind };
    },

    /** @throws AdminError 102, 107 */
    async add(name: unknown, password: unknown): Promise<void> {
      const result = await service().add(required(name, words.field), required(password, "password"));
      broker.flush();
      if (result !== "ok") throw new AdminError(CODE.UNKNOWN, words.existed);
    },

    /** @throws AdminError 102, 107 */
    async update(name: string, password: unknown): Promise<void> {
      const result = await service().update(name, required(password, "password"));
      broker.flush();
      if (result !== "ok") throw new AdminError(CODE.UNKNOWN, words.unknown);
    },

    remove(name: string): void {
      service().remove(name);
      broker.flush();
    },
  };
}
