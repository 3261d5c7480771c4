/** Fields of a value as paths, for completion: `payload.a.b`, with an example of each. */

export interface PathRow {
  path: string;
  /** As JSON, cut. */
  example: string;
}

const DEPTH_MAX = 5;
const ROWS_MAX = 300;
const SHOWN_MAX = 60;

/** It can be written as it is, in SQL and in templates. */
export const plainName = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;

/** Names that can be written as they are; an array's first element stands for all of them. */
export function pathsOf(value: unknown, prefix = ""): PathRow[] {
  const out: PathRow[] = [];
  const walk = (v: unknown, path: string, depth: number): void => {
    if (out.length >= ROWS_MAX) return;
    if (path !== "") out.push({ path, example: shown(v) });
    if (typeof v !== "object" || v === null || depth >= DEPTH_MAX) return;
    if (Array.isArray(v)) {
      if (v.length > 0) walk(v[0], `${path}[1]`, depth + 1);
      return;
    }
    for (const [name, inner] of Object.entries(v)) if (plainName.test(name)) walk(inner, path === "" ? name : `${path}.${name}`, depth + 1);
  };
  walk(value, prefix, 0);
  return out;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "";
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

/** JSON, or the text itself. */
export function parsed(text: unknown): unknown {
  if (typeof text !== "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
