/** What the routes of the made-up broker are made of. */
import type { Query } from "./transport.ts";

export interface Call {
  params: Record<string, string>;
  query: Query;
  body: Record<string, unknown>;
  user: string;
}

export interface FakeRoute {
  method: string;
  path: readonly string[];
  summary: string;
  run: (c: Call) => unknown;
}

export const ok = { code: 0 } as const;
export const data = (d: unknown) => ({ code: 0, data: d });
export const fail = (code: number, message: string) => ({ code, message });
export const text = (v: unknown): string => (typeof v === "string" ? v : "");

export type On = (method: string, path: string, summary: string, run: FakeRoute["run"]) => void;

export function remove<T>(list: T[], gone: (x: T) => boolean): void {
  for (let i = list.length - 1; i >= 0; i--) if (gone(list[i] as T)) list.splice(i, 1);
}
