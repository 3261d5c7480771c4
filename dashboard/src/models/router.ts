/** Addresses live in the hash (`#/clients/abc?tab=session`): every page and filter has a link, and the server only serves `/`. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";

export interface Place {
  /** Decoded segments: `#/clients/a%2Fb` → ["clients", "a/b"]. */
  path: string[];
  query: Readonly<Record<string, string>>;
}

export type Patch = Readonly<Record<string, string | number | null | undefined>>;

export interface Router {
  place: ReadonlySignal<Place>;
  /** The first segment, "" on the overview. */
  page: ReadonlySignal<string>;
  go(to: string, options?: { replace?: boolean }): void;
  /** Change query parameters of the present place; null, undefined and "" remove. */
  patch(changes: Patch): void;
  dispose(): void;
}

/** The part of `window` a router needs; tests pass their own. */
export interface RouterWindow {
  location: { hash: string; href: string };
  history: { pushState(d: unknown, t: string, url: string): void; replaceState(d: unknown, t: string, url: string): void };
  addEventListener(type: "hashchange" | "popstate", fn: () => void): void;
  removeEventListener(type: "hashchange" | "popstate", fn: () => void): void;
}

/** `link("clients", id, {tab: "x"})` → "#/clients/<id>?tab=x". */
export function link(...parts: (string | Patch)[]): string {
  const path: string[] = [];
  let query: Patch = {};
  for (const p of parts)
    if (typeof p === "string") path.push(encodeURIComponent(p));
    else query = p;
  return `#/${path.join("/")}${queryOf(query)}`;
}

function queryOf(query: Patch): string {
  const p = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v !== null && v !== undefined && v !== "") p.set(k, String(v));
  const text = p.toString();
  return text === "" ? "" : `?${text}`;
}

export function parsePlace(hash: string): Place {
  const text = hash.replace(/^#\/?/, "");
  const cut = text.indexOf("?");
  const path = (cut < 0 ? text : text.slice(0, cut)).split("/").filter((s) => s !== "");
  return {
    path: path.map(decode),
    query: Object.fromEntries(new URLSearchParams(cut < 0 ? "" : text.slice(cut + 1))),
  };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export function createRouter(win: RouterWindow): Router {
  const place = signal<Place>(parsePlace(win.location.hash));
  const read = (): void => {
    place.value = parsePlace(win.location.hash);
  };
  win.addEventListener("hashchange", read);
  win.addEventListener("popstate", read);

  const go: Router["go"] = (to, options) => {
    const url = to.startsWith("#") ? to : `#/${to}`;
    if (options?.replace) win.history.replaceState(null, "", url);
    else win.history.pushState(null, "", url);
    read();
  };

  return {
    place,
    page: computed(() => place.value.path[0] ?? ""),
    go,
    patch(changes) {
      const { path, query } = place.peek();
      go(link(...path, { ...query, ...changes }), { replace: true });
    },
    dispose() {
      win.removeEventListener("hashchange", read);
      win.removeEventListener("popstate", read);
    },
  };
}
