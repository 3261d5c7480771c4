/** Applications: who may call the management API. */
import type { AppRow as StoredApp } from "../core/ports.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import { badValue, missing, optionalText } from "./refusals.ts";
import type { App, AppRow } from "./rows.ts";
import { orUndefined } from "./text.ts";

/** Length of a generated secret; as long as those of EMQ X 3.1. */
const SECRET_LENGTH = 47;

/** Fields as received; undefined = not sent. */
export interface AppFields {
  name?: unknown;
  desc?: unknown;
  status?: unknown;
  expired?: unknown;
}

function status(value: unknown): boolean {
  // What an unset status was shown as by EMQ X 3.1: a client that sends the row back must not lock the application out.
  if (value === null || value === "undefined") return true;
  if (typeof value === "boolean") return value;
  throw badValue("status", "true or false");
}

function expired(value: unknown): number | null {
  if (value === null || value === "undefined") return null;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw badValue("expired", "a number (Unix seconds)");
}

function merge(old: StoredApp, f: AppFields): StoredApp {
  return {
    ...old,
    name: f.name === undefined ? old.name : optionalText(f.name, "name"),
    desc: f.desc === undefined ? old.desc : optionalText(f.desc, "desc"),
    status: f.status === undefined ? old.status : status(f.status),
    expired: f.expired === undefined ? old.expired : expired(f.expired),
  };
}

function shown(app: StoredApp): AppRow {
  return {
    app_id: app.appId,
    name: orUndefined(app.name),
    desc: orUndefined(app.desc),
    status: app.status,
    expired: app.expired ?? "undefined",
  };
}

export function createApps({ broker, system }: AdminDeps) {
  const { apps } = broker.store;
  let defaultSecret = "";

  function save(app: StoredApp): void {
    apps.put(app);
    broker.flush();
  }

  /** The secret by which an application may come in now; null = by none: it is not there, switched off, or expired. */
  function standing(id: string): string | null {
    const app = apps.get(id);
    if (!app?.status) return null;
    return app.expired === null || app.expired >= Math.floor(broker.clock.now() / 1000) ? app.secret : null;
  }

  const valid = (id: string, secret: string): boolean => standing(id) === secret;

  return {
    /** Secret of applications created without one; "" = a random one each. */
    setDefaultSecret(secret: string): void {
      defaultSecret = secret;
    },

    list: (): AppRow[] => apps.all().map(shown),

    lookup(id: string): App | null {
      const app = apps.get(id);
      if (!app) return null;
      const { app_id, ...rest } = shown(app);
      return { app_id, secret: app.secret, ...rest };
    },

    /** Returns the secret. @throws AdminError 102 `alread_existed` (sic), 107, 108 */
    add(id: unknown, secret: unknown, fields: AppFields): string {
      if (typeof id !== "string" || id === "") throw missing("app_id");
      if (secret !== undefined && typeof secret !== "string") throw badValue("secret", "a string");
      if (apps.get(id)) throw new AdminError(CODE.UNKNOWN, "alread_existed");
      const own = secret || defaultSecret || system.secret(SECRET_LENGTH);
      save(merge({ appId: id, secret: own, name: null, desc: null, status: true, expired: null }, fields));
      return own;
    },

    /** Fields not given stay as they are. @throws AdminError 102 `ont_found` (sic), 108 */
    update(id: string, fields: AppFields): void {
      const old = apps.get(id);
      if (!old) throw new AdminError(CODE.UNKNOWN, "ont_found");
      save(merge(old, fields));
    },

    remove(id: string): void {
      apps.delete(id);
      broker.flush();
    },

    /** Existing, enabled, not expired, right secret? The secrets are compared in constant time. */
    check(id: string, secret: string): boolean {
      const equal = system.digest(apps.get(id)?.secret ?? "") === system.digest(secret);
      return equal && valid(id, secret);
    },

    /** The same for credentials that were right before: their secret may be compared in any time. */
    stillValid: valid,

    standing,
  };
}
