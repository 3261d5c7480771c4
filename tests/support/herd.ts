/** Many clients that all want in at once, and come again a moment after they were turned away: what a broker meets behind an outage. */
import { PATIENCE_MS } from "./until.ts";

export interface Herd {
  /** Return code -> how often it was said. */
  readonly codes: Map<number, number>;
  /** Who is in. */
  inside: number;
  /** Settled when all are in, or the patience is over. */
  readonly all: Promise<void>;
}

/** CONNECT of MQTT 3.1.1, clean, without keep alive. */
function connectBytes(clientId: string, username: string, password: string): Uint8Array {
  const text = (s: string): Buffer => {
    const bytes = Buffer.from(s);
    return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
  };
  const body = Buffer.concat([text("MQTT"), Buffer.from([4, 0xc2, 0, 0]), text(clientId), text(username), text(password)]);
  if (body.length > 127) throw new Error("too long for one byte of length");
  return Buffer.concat([Buffer.from([0x10, body.length]), body]);
}

/**
 * Without an answer for so long one hangs up and comes again, ms, as devices do. Of so many the kernel drops some for which the listener has no room,
 * and tries them again by itself, each time after twice as long: they would be the last by half a minute.
 */
const ANSWER_MS = 8000;

/** One try: its return code, or null when the connection ended without one. Who is let in stays until `leave` is settled. */
function tryOnce(port: number, bytes: Uint8Array, leave: Promise<void>): Promise<number | null> {
  return new Promise((settle) => {
    let hangUp = (): void => {};
    const late = setTimeout(() => hangUp(), ANSWER_MS);
    const settled = (code: number | null): void => {
      clearTimeout(late);
      settle(code);
    };
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open(s) {
          hangUp = () => s.terminate();
          s.write(bytes);
        },
        data(s, chunk) {
          const code = chunk[3] ?? null;
          settled(code);
          if (code === 0) void leave.then(() => s.end());
          else s.end();
        },
        close: () => settled(null),
        error: () => settled(null),
      },
    }).catch(() => settled(null));
  });
}

/** `n` of them as one user. They stay until `leave` is settled. */
export function herd(port: number, n: number, username: string, password: string, leave: Promise<void>): Herd {
  const deadline = performance.now() + PATIENCE_MS;
  const codes = new Map<number, number>();
  const one = async (i: number): Promise<void> => {
    const bytes = connectBytes(`h${i}`, username, password);
    while (performance.now() < deadline) {
      const code = await tryOnce(port, bytes, leave);
      if (code !== null) codes.set(code, (codes.get(code) ?? 0) + 1);
      if (code === 0) {
        found.inside++;
        return;
      }
      await Bun.sleep(200 + Math.random() * 800);
    }
  };
  const found: Herd = { codes, inside: 0, all: Promise.resolve() };
  const all = Promise.all(Array.from({ length: n }, (_, i) => one(i))).then(() => {});
  return Object.assign(found, { all });
}
