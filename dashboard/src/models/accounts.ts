/** Accounts of the plugins emqx_auth_username and emqx_auth_clientid. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { AccountKind } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";
import { createPages, type Pages } from "./pages.ts";

/** Of the names that were found. */
export interface AccountsModel extends Pages<string> {
  names: Live<string[]>;
  /** Part of a name that is looked for. */
  search: ReadonlySignal<string>;
  find(text: string): void;
  create(name: string, password: string): Promise<boolean>;
  setPassword(name: string, password: string): Promise<boolean>;
  remove(name: string): Promise<void>;
  dispose(): void;
}

/** Which accounts a plugin keeps; null = none. */
export function accountKind(plugin: string): AccountKind | null {
  if (plugin === "emqx_auth_username") return "username";
  return plugin === "emqx_auth_clientid" ? "clientid" : null;
}

export function createAccounts(app: App, kind: AccountKind): AccountsModel {
  const { api, i18n, link, notices } = app;
  const names = createLive(() => api.accounts(kind), { link, every: 10_000 });
  const search = signal("");
  // The API answers with all of them.
  const found = computed(() => {
    const text = search.value.toLowerCase();
    return (names.data.value ?? []).filter((n) => n.toLowerCase().includes(text)).sort((x, y) => x.localeCompare(y));
  });
  const pages = createPages(found);
  const changed = async (work: () => Promise<unknown>, done: string): Promise<boolean> => {
    const ok = await app.act(work, done);
    void names.refresh();
    return ok;
  };
  return {
    ...pages,
    names,
    search,
    find(text) {
      search.value = text;
      pages.setPage(1);
    },
    create: (name, password) => changed(() => api.createAccount(kind, name, password), i18n.t("accounts.created", { name })),
    setPassword: (name, password) => changed(() => api.setAccountPassword(kind, name, password), i18n.t("password.changed")),
    async remove(name) {
      const { t } = i18n;
      const yes = await notices.ask({
        title: t("accounts.deleteOne", { name }),
        text: t("accounts.deleteText"),
        yes: t("action.delete"),
        danger: true,
      });
      if (yes) await changed(() => api.deleteAccount(kind, name), t("accounts.deleted", { name }));
    },
    dispose: () => names.dispose(),
  };
}
