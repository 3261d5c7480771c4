/**
 * Who is logged in. The API knows only Basic credentials, so they are what is kept: in memory and session storage (gone with the tab),
 * or in local storage if the person ticks "remember on this computer" (the login page says what that means).
 */
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Api, WhoAmI } from "../api/client.ts";
import { type ApiError, asApiError } from "../api/transport.ts";
import type { Store } from "./prefs.ts";

export const CREDENTIALS_KEY = "baomq.session";

export type LoginFailure = "wrong" | "throttled" | "forbidden" | "offline" | "other";

export interface Session {
  authorization: () => string | null;
  /** null = nobody, undefined = not known yet. */
  who: Signal<WhoAmI | null | undefined>;
  mustChange: ReadonlySignal<boolean>;
  /** Set when a session ended by itself. */
  expired: Signal<boolean>;
  /** Take up the session of this tab, if there is one. */
  resume(): Promise<void>;
  login(name: string, password: string, remember: boolean): Promise<{ ok: true } | { ok: false; failure: LoginFailure; message: string }>;
  changePassword(old: string, next: string): Promise<ApiError | null>;
  logout(expired?: boolean): void;
}

export interface SessionOptions {
  /** Late, because the API needs this model's credentials. */
  api: () => Api;
  tab: Store;
  device: Store;
}

interface Saved {
  name: string;
  basic: string;
}

export const basic = (name: string, password: string): string => {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
};

export function createSession({ api, tab, device }: SessionOptions): Session {
  let saved: Saved | null = read(tab) ?? read(device);
  const who = signal<WhoAmI | null | undefined>(undefined);
  const expired = signal(false);

  function keep(next: Saved, remember: boolean): void {
    saved = next;
    write(tab, next);
    if (remember) write(device, next);
    else device.removeItem(CREDENTIALS_KEY);
  }

  function forget(): void {
    saved = null;
    tab.removeItem(CREDENTIALS_KEY);
    device.removeItem(CREDENTIALS_KEY);
  }

  const remembered = (): boolean => read(device) !== null;

  return {
    authorization: () => saved?.basic ?? null,
    who,
    expired,
    mustChange: computed(() => who.value?.must_change_password === true && who.value.kind === "user"),

    async resume() {
      if (!saved) {
        who.value = null;
        return;
      }
      try {
        who.value = await api().whoami();
      } catch (e) {
        const error = asApiError(e);
        if (error.kind === "unauthorized" || error.kind === "forbidden") {
          forget();
          who.value = null;
          expired.value = error.kind === "unauthorized";
        } else throw error;
      }
    },

    async login(name, password, remember) {
      try {
        await api().auth(name, password);
        keep({ name, basic: basic(name, password) }, remember);
        who.value = await api().whoami();
        expired.value = false;
        return { ok: true };
      } catch (e) {
        forget();
        const error = asApiError(e);
        return { ok: false, failure: failureOf(error), message: error.message };
      }
    },

    async changePassword(old, next) {
      const me = who.peek();
      if (!me) return null;
      try {
        await api().changePassword(me.name, old, next);
      } catch (e) {
        return asApiError(e);
      }
      keep({ name: me.name, basic: basic(me.name, next) }, remembered());
      who.value = { ...me, must_change_password: false };
      return null;
    },

    logout(wasExpired = false) {
      forget();
      expired.value = wasExpired;
      who.value = null;
    },
  };
}

function failureOf(e: ApiError): LoginFailure {
  if (e.kind === "code" && (e.code === 103 || e.code === 104 || e.code === 105)) return "wrong";
  if (e.kind === "unauthorized") return e.message === "UNAUTHORIZED" ? "wrong" : "throttled";
  if (e.kind === "forbidden") return "forbidden";
  return e.kind === "network" ? "offline" : "other";
}

function read(store: Store): Saved | null {
  try {
    const v = JSON.parse(store.getItem(CREDENTIALS_KEY) ?? "null") as Partial<Saved> | null;
    return typeof v?.name === "string" && typeof v.basic === "string" ? { name: v.name, basic: v.basic } : null;
  } catch {
    return null;
  }
}

function write(store: Store, value: Saved): void {
  try {
    store.setItem(CREDENTIALS_KEY, JSON.stringify(value));
  } catch {
    // Storage forbidden: the session lasts as long as this page.
  }
}
