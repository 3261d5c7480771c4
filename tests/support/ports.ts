/** Ports that tests may use, and waiting for them. */
import { PATIENCE_MS } from "./until.ts";

/** Below the range that the kernel hands out to clients, so that no connection of another test takes one in between. */
const FIRST = 20_000;
const LAST = 32_000;

/** Ports of a slice; its first one is held for as long as this process lives, so that no other test process hands out the rest. */
const SLICE = 100;
const held: { stop(force?: boolean): void }[] = [];
/** Ports of our slices, in the order in which they are handed out: what was given last comes last again. */
const ours: number[] = [];

/** Take a slice that no process holds. False = all are taken. */
function takeSlice(): boolean {
  const slices = (LAST - FIRST) / SLICE;
  const from = Math.floor(Math.random() * slices);
  for (let i = 0; i < slices; i++) {
    const first = FIRST + ((from + i) % slices) * SLICE;
    const lock = hold(first);
    if (lock === null) continue;
    held.push(lock);
    for (let port = first + 1; port < first + SLICE; port++) ours.unshift(port);
    return true;
  }
  return false;
}

/** null = somebody has it. */
function hold(port: number): { stop(force?: boolean): void } | null {
  try {
    const server = Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } });
    server.unref();
    return server;
  } catch {
    return null;
  }
}

function isFree(port: number): boolean {
  const server = hold(port);
  server?.stop(true);
  return server !== null;
}

let handedOut = 0;

/** `n` different TCP ports that nobody listens on, and that nobody else is given. */
export function freePorts(n: number): number[] {
  const found: number[] = [];
  for (let tries = 0; found.length < n; tries++) {
    if (handedOut >= ours.length && !takeSlice()) handedOut = 0;
    if (tries > LAST - FIRST) throw new Error(`no ${n} free ports from ${FIRST} to ${LAST}`);
    const port = ours.shift();
    if (port === undefined) throw new Error(`no free ports from ${FIRST} to ${LAST}: other test runs hold them all`);
    ours.push(port);
    handedOut++;
    if (isFree(port)) found.push(port);
  }
  return found;
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
