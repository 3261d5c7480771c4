/** Requests that no log-in waits for: how many at a time, who is next, and that they leave those of authentication alone. */
import { describe, expect, test } from "bun:test";
import { HttpSlots } from "../../../../server/plugins/_backend/http_slots.ts";
import { send as ask } from "../../../../server/plugins/auth_http/request.ts";
import { send as tell } from "../../../../server/plugins/web_hook/target.ts";
import { until } from "../../../support/until.ts";

const never = new AbortController().signal;
const turn = () => new Promise<void>((done) => setImmediate(done));

/** Slots, and jobs that end when the test says so. */
function world(max: number, firstMax = 0) {
  const slots = new HttpSlots(max, firstMax);
  const running: { service: string; end: () => void }[] = [];
  const start = (service: string, n = 1, signal = never): Promise<void>[] =>
    Array.from({ length: n }, () =>
      slots.run(service, signal, () => new Promise<void>((end) => void running.push({ service, end: () => end() }))),
    );
  const count = (service: string): number => running.filter((r) => r.service === service).length;
  const end = async (service: string): Promise<void> => {
    const [one] = running.splice(
      running.findIndex((r) => r.service === service),
      1,
    );
    one?.end();
    await turn();
  };
  return { slots, start, count, end };
}

describe("places", () => {
  test("one service has two thirds of what others leave, so that there are places when it is silent", async () => {
    const { slots, start, count } = world(96);
    start("a", 300);
    start("b", 300);
    start("c", 300);
    await turn();
    expect([count("a"), count("b"), count("c")]).toEqual([64, 22, 7]);
    expect(slots.waiting).toBe(900 - 64 - 22 - 7);
    start("d");
    await turn();
    expect(count("d")).toBe(1);
  });

  test("however many are silent, one that answers has a place; those for that are counted, too", async () => {
    const { slots, start, count, end } = world(84, 12);
    const silent = Array.from({ length: 10 }, (_, i) => `silent${i}`);
    for (const name of silent) start(name, 100);
    for (const name of ["d", "d", "e"]) start(name);
    await turn();
    for (const name of [...silent, "d", "e"]) expect(count(name)).toBeGreaterThan(0);
    expect(count("d")).toBe(1);
    await end("d");
    expect(count("d")).toBe(1);
    for (let i = 0; i < 30; i++) start(`f${i}`);
    await turn();
    const running = 10 * 100 + 3 + 30 - 1 - slots.waiting;
    expect(running).toBeLessThanOrEqual(84 + 12);
  });

  test("who waits is next in the order of its service, services in turn; what fails leaves its place", async () => {
    const { slots, start, count, end } = world(4);
    start("a", 5);
    start("b", 5);
    await turn();
    expect([count("a"), count("b")]).toEqual([3, 1]);
    await end("a");
    expect([count("a"), count("b"), slots.waiting]).toEqual([2, 2, 5]);
    for (let i = 0; i < 4; i++) {
      await end("a");
      await end("b");
    }
    expect([count("a"), count("b"), slots.waiting]).toEqual([0, 1, 0]);
    await end("b");
    await expect(slots.run("a", never, () => Promise.reject(new Error("refused")))).rejects.toThrow("refused");
    start("a", 9);
    await turn();
    expect(count("a")).toBe(3);
  });

  test("given up while it waits: it never runs, and its place in line is gone", async () => {
    const { slots, start, count, end } = world(1);
    start("a");
    const abort = new AbortController();
    const [given] = start("a", 1, abort.signal);
    await turn();
    expect(slots.waiting).toBe(1);
    abort.abort(new Error("too late"));
    await expect(given).rejects.toThrow("too late");
    await expect(slots.run("a", abort.signal, async () => {})).rejects.toThrow("too late");
    await end("a");
    expect([slots.waiting, count("a")]).toEqual([0, 0]);
  });
});

test("silent services that are told of events, with more requests than the runtime carries: one that is asked who may come in answers", async () => {
  let held = 0;
  const silent = [1, 2, 3].map(() =>
    Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch() {
        held++;
        return new Promise<Response>(() => {});
      },
    }),
  );
  const asked = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ignore") });
  const abort = new AbortController();
  const event = { id: "1", hook: "test", subject: "", at: 0, body: "{}" };
  const told = silent.flatMap(({ port }) => {
    const url = new URL(`http://127.0.0.1:${port}/`);
    const common = { method: "POST", headers: new Map(), tls: null, secret: null, cloudEvents: "off", isBatch: false, source: "" } as const;
    const target = { ...common, url, keys: { server: "url", timeout: "timeout" } };
    return Array.from({ length: 128 }, () => tell(target, { items: [event] }, abort.signal, 0).catch(() => "ended"));
  });
  try {
    await until(() => held >= 80, "the silent services have what they are to have");
    const url = new URL(`http://127.0.0.1:${asked.port}/`);
    const template = { key: "auth", url, method: "get", body: "form", headers: new Map(), params: [] } as const;
    const sending = () => ({ signal: AbortSignal.timeout(20_000), tls: null, unread: () => {} });
    const answers = Array.from({ length: 150 }, () => ask(template, [], sending()));
    for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ status: 200, body: "ignore" });
  } finally {
    abort.abort();
    await Promise.all(told);
    for (const server of [...silent, asked]) await server.stop(true);
  }
  expect(held).toBeLessThanOrEqual(96);
});
