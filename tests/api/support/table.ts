/** Scenario tables: what is asked, what comes back. */
import { expect, test } from "bun:test";
import type { Answer, Ask, TestNode } from "./node.ts";

export interface Scenario extends Ask {
  /** What makes it worth a test. */
  name: string;
  method: string;
  path: string;
  /** Default 200. */
  status?: number;
  code?: number;
  message?: string | RegExp;
  /** The whole body, when it is no envelope. */
  text?: string;
  /** Exactly `{"code":0}`. */
  ok?: true;
  /** `data`, deeply equal; asymmetric matchers welcome. */
  data?: unknown;
  /** Whatever else is to hold. */
  check?: (answer: Answer) => void | Promise<void>;
}

/** Run a table in order against one node: later rows may build on earlier ones. */
export function scenarios(node: () => TestNode, rows: readonly Scenario[]): void {
  for (const row of rows) {
    test(`${row.method} ${row.path}: ${row.name}`, async () => {
      const answer = await node().ask(row.method, row.path, row);
      expect({ status: answer.status, body: answer.status === (row.status ?? 200) ? "" : answer.text }).toEqual({
        status: row.status ?? 200,
        body: "",
      });
      if (row.ok) expect(answer.text).toBe('{"code":0}');
      if (row.text !== undefined) expect(answer.text).toBe(row.text);
      if (row.code !== undefined) expect(answer.json?.code).toBe(row.code);
      if (row.message instanceof RegExp) expect(answer.json?.message ?? "").toMatch(row.message);
      else if (row.message !== undefined) expect(answer.json?.message).toBe(row.message);
      if (row.data !== undefined) expect(answer.json?.data).toEqual(row.data);
      await row.check?.(answer);
    });
  }
}

/** Every table begins with it: without credentials nothing is told, not even whether the route exists. */
export function unauthorized(
  node: () => TestNode,
  routes: readonly (readonly [method: string, path: string])[],
  as: "app" | "user" = "app",
): void {
  scenarios(
    node,
    routes.map(([method, path]) => ({ name: "unauthorized", method, path, as, authorization: null, status: 401, text: "UNAUTHORIZED" })),
  );
}

/** A known path with a method it has not. */
export function wrongMethod(
  node: () => TestNode,
  routes: readonly (readonly [method: string, path: string])[],
  as: "app" | "user" = "app",
): void {
  scenarios(
    node,
    routes.map(([method, path]) => ({ name: "wrong method", method, path, as, status: 404, text: "Not found." })),
  );
}
