/** Parameters that resources and actions have alike, and their values with types. Names are those of EMQX 4 where it had them. */

import { readAddress, readAddresses, type ServerAddress } from "../_backend/address.ts";
import { tlsFrom } from "../_backend/tls.ts";
import type { ParamSpec, Params, ParamsSpec } from "../actions.ts";

type Value<S extends ParamSpec> = S["type"] extends "string"
  ? string
  : S["type"] extends "number" | "float"
    ? number
    : S["type"] extends "boolean"
      ? boolean
      : S["type"] extends "object"
        ? Readonly<Record<string, unknown>>
        : readonly unknown[];

/** What stands in parameters that were checked against their table: where there is a default, or must be one, it is there. */
export type ValuesIn<S extends ParamsSpec> = {
  readonly [K in keyof S]: S[K] extends { readonly required: true } | { readonly default: string | number | boolean | object }
    ? Value<S[K]>
    : Value<S[K]> | undefined;
};

/** The rule engine has checked them; what it left out is filled in here. @throws Error naming what is missing */
export function valuesIn<const S extends ParamsSpec>(spec: S, given: Params): ValuesIn<S> {
  const out: Record<string, unknown> = {};
  for (const [name, { default: otherwise, required }] of Object.entries(spec)) {
    const value = given[name] ?? otherwise;
    if (required === true && (value === undefined || value === "")) throw new Error(`${name} is missing`);
    out[name] = value;
  }
  return out as ValuesIn<S>;
}

export const text = <const D extends string>(def: D, title: string, description: string) =>
  ({ type: "string", default: def, title, description }) as const;
export const needed = (title: string, description: string) => ({ type: "string", required: true, title, description }) as const;
export const secret = (title: string, description: string) => ({ type: "string", default: "", title, description, secret: true }) as const;
export const template = <const D extends string>(def: D, title: string, description: string) =>
  ({ type: "string", format: "template", default: def, title, description }) as const;
export const number = (def: number, range: readonly [number, number], title: string, description: string) =>
  ({ type: "number", default: def, range, title, description }) as const;
/** With `enum`, of which EMQ X 3.1's dashboard makes a choice of the two: what is typed into its text fields is no boolean, and refused there. */
export const flag = <const D extends boolean>(def: D, title: string, description: string) =>
  ({ type: "boolean", enum: [true, false], default: def, title, description }) as const;
export const choice = <const E extends readonly string[]>(of: E, def: E[number], title: string, description: string) =>
  ({ type: "string", enum: of, default: def, title, description }) as const;

/** Which resource an action uses. EMQ X 3.1. */
export const RESOURCE = {
  $resource: { type: "string", required: true, title: "Resource ID", description: "The resource whose server it is." },
} as const satisfies ParamsSpec;

export const poolParam = (def: number, max = 64) => ({
  pool_size: number(def, [1, max], "Pool Size", "Connections to the server."),
});
export const TIMEOUT = {
  timeout: number(5, [1, 60], "Timeout", "So long an answer is awaited, in seconds."),
} as const satisfies ParamsSpec;

export const TLS = {
  ssl: flag(false, "TLS", "Speak TLS with the server."),
  verify: flag(true, "Verify", "The server's certificate must be good for its name. Off: anybody in between can read along."),
  cacertfile: text("", "CA Certificate File", "Certificates to trust; empty = those of the system."),
  certfile: text("", "Certificate File", "Certificate to show to the server."),
  keyfile: text("", "Key File", "Its key."),
} as const satisfies ParamsSpec;

/** null = no TLS. @throws Error naming the parameter whose file cannot be read */
export function tlsIn(c: ValuesIn<typeof TLS>): Bun.TLSOptions | null {
  return c.ssl ? tlsFrom("", c) : null;
}

/** @throws Error naming the parameter */
export function serverIn(name: string, value: string, port: number): ServerAddress {
  const address = readAddress(value.trim(), port);
  if (address === null) throw new Error(`${name} = ${value}: expected a host and a port such as 127.0.0.1:${port}`);
  return address;
}

/** Several, with commas between them. @throws Error naming the parameter */
export function serversIn(name: string, value: string, port: number): readonly ServerAddress[] {
  const addresses = readAddresses(value, port);
  if (addresses === null)
    throw new Error(`${name} = ${value}: expected hosts and ports such as 127.0.0.1:${port}, with commas between them`);
  return addresses;
}
