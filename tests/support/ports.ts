/** Ports that tests may use, and waiting for them. */
import { PATIENCE_MS } from "./until.ts";

/** Below the range that the kernel hands out to clients, so that no connection of another test takes one in between. */
const FIRST = 20_000;
const LAST = 32_000;

function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}

/** `n` different TCP ports that nobody listens on. */
export function freePorts(n: number): number[] {
  const found = new Set<number>();
  while (found.size < n) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (!found.has(port) && isFree(port)) found.add(port);
  }
  return [...found];
}

async function accepts(port: number): Promise<boolean> {
  try {
    const s = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    s.end();
    return true;
  } catch {
    return false;
  }
}

/** Resolves when 127.0.0.1:`port` accepts connections. */
export async function waitForPort(port: number, ms = PATIENCE_MS): Promise<void> {
  const until = performance.now() + ms;
  while (!(await accepts(port))) {
    if (performance.now() > until) throw new Error(`nobody listens on port ${port} after ${ms} ms`);
    await Bun.sleep(20);
  }
}
