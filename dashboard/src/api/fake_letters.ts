/** The made-up broker's dead letters: of actions of rules, and of the web hook. */
import type { DeadLetter, PluginStatus } from "./client.ts";
import { data, type On, remove } from "./fake_reply.ts";
import type { State } from "./fake_state.ts";

type Params = Record<string, string>;

/** The routes at a path. `kept`: what is there; `changed`: it has become less. */
export function letterRoutes(on: On, path: string, kept: (p: Params) => DeadLetter[], changed: (p: Params) => void): void {
  const take = (params: Params, ids: unknown): number => {
    const list = kept(params);
    const before = list.length;
    remove(list, (l) => (ids as number[] | undefined)?.includes(l.id) ?? true);
    changed(params);
    return before - list.length;
  };
  on("GET", path, "Dead letters", ({ params }) => data([...kept(params)]));
  on("POST", `${path}/resend`, "Send again", ({ params, body }) => data({ resent: take(params, body.ids) }));
  on("DELETE", path, "Delete dead letters", ({ params, body }) =>
    data({ deleted: take(params, body.all === true ? undefined : (body.ids ?? [])) }),
  );
}

const HOOK = "emqx_web_hook";
/** More than a page. */
const KEPT = 12;

export function webHook(s: State, on: On): void {
  const kept = Array.from({ length: KEPT }, (_, i): DeadLetter => {
    const body = JSON.stringify({ action: "client_connected", client_id: `<b>s${KEPT - i}</b>`, username: "sensors" });
    return { id: KEPT - i, at_ms: s.start - 60_000 * (i + 1), why: "http 400: no such device", tries: 1, bytes: body.length, body };
  });
  const tell = (): void => {
    const status: PluginStatus = { servers: [], dead_letters: kept.length, authentication: null, acl: null };
    for (const p of s.plugins) if (p.name === HOOK) p.status = status;
  };
  tell();
  letterRoutes(on, "/web_hook/dead_letters", () => kept, tell);
}
