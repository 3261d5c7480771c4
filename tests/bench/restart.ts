/** How long a broker with much state takes to start: from its process to the first client that is answered, and knows its session again. */
import mqttPacket from "mqtt-packet";
import type { Contestant } from "./brokers.ts";
import { type Generator, type LoadResult, runLoad } from "./generator.ts";
import { launch, type Place, spawnAt } from "./launch.ts";

/** Writing everything down at the end may take its time; what is cut short would not be there. */
const PATIENCE_MS = 120_000;
/** The generator's name for its first session of this kind. */
const CLIENT = "ml0p0";

interface Connack {
  code: number;
  present: boolean;
}

/** One try. null = nobody there, or gone before the answer. */
function tryConnect(port: number, connect: Uint8Array, patience: number): Promise<Connack | null> {
  return new Promise((resolve) => {
    let got = Buffer.alloc(0);
    let socket: { terminate(): void } | null = null;
    const end = (answer: Connack | null) => {
      clearTimeout(late);
      resolve(answer);
      socket?.terminate();
    };
    const late = setTimeout(() => end(null), patience);
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open(s) {
          socket = s;
          s.write(connect);
        },
        data(_, chunk) {
          got = Buffer.concat([got, chunk]);
          if (got.length >= 4) end({ code: got[3] as number, present: (got[2] as number) === 1 });
        },
        close: () => end(null),
        error: () => end(null),
        connectError: () => end(null),
      },
    }).catch(() => end(null));
  });
}

/** The first answer to a client that tries again and again. Throws when there is none in time. */
export async function firstConnack(port: number, clientId: string, patience = PATIENCE_MS): Promise<Connack> {
  const packet = { cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: false, clientId, keepalive: 60 } as const;
  const connect = mqttPacket.generate(packet);
  const until = performance.now() + patience;
  for (let left = patience; left > 0; left = until - performance.now()) {
    const answer = await tryConnect(port, connect, left);
    // Server unavailable: as good as nobody there.
    if (answer !== null && answer.code !== 3) return answer;
    await Bun.sleep(1);
  }
  throw new Error(`no CONNACK after ${patience} ms`);
}

async function build(generator: Generator, c: Contestant, at: Place, state: { sessions: number; retained: number }): Promise<void> {
  const broker = await launch(c, at);
  try {
    const common = ["--port", String(at.ports.tcp)];
    const steps = [
      ["sessions", "--count", String(state.sessions)],
      ["retained", "--count", String(state.retained), "--qos", "1", "--inflight", "100", "--store-only"],
    ];
    for (const step of steps) {
      const { error, unconnected = 0 } = await runLoad(generator, [...step, ...common]);
      if (error !== undefined || unconnected > 0) throw new Error(`${step[0]}: ${error ?? `${unconnected} not connected`}`);
    }
  } finally {
    await broker.stop(PATIENCE_MS);
  }
}

export async function measureStart(
  generator: Generator,
  c: Contestant,
  at: Place,
  state: { sessions: number; retained: number },
): Promise<LoadResult> {
  await build(generator, c, at, state);
  const t0 = performance.now();
  const broker = spawnAt(c, at);
  try {
    const { code, present } = await firstConnack(at.ports.tcp, CLIENT);
    const start_ms = performance.now() - t0;
    if (code !== 0) return { error: `CONNACK ${code} after the restart` };
    return present ? { start_ms } : { error: "started without its sessions" };
  } finally {
    await broker.stop(PATIENCE_MS);
  }
}
