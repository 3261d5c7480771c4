import { describe, expect, test } from "bun:test";
import { Message } from "../../../../server/core/message.ts";
import { type TraceKind, type TraceLevel, Tracer } from "../../../../server/core/watch/tracer.ts";
import { formatLocalTimeMs } from "../../../../server/lib/time_format.ts";
import { FakeClock, recordingLog } from "../../../support/access.ts";

function setUp() {
  const clock = new FakeClock();
  const log = recordingLog();
  const states: boolean[] = [];
  const tracer = new Tracer(clock, log, (active) => states.push(active));
  const start = (kind: TraceKind, what: string, level: TraceLevel = "debug") => {
    const lines: string[] = [];
    let closed = 0;
    const started = tracer.start(
      { kind, what, file: `${what}.log`, level },
      { line: (l) => void lines.push(l), close: () => void closed++ },
    );
    return { lines, started, closed: () => closed };
  };
  return { clock, log, states, tracer, start, at: formatLocalTimeMs(clock.ms) };
}
const message = (topic: string, payload: string | Uint8Array, from = "c1"): Message =>
  new Message(topic, typeof payload === "string" ? new TextEncoder().encode(payload) : payload, 1, false, from, null, 0, 0, null);

describe("tracer", () => {
  test("follows a client: what it publishes, receives and does", () => {
    const { tracer, start, at } = setUp();
    const t = start("client", "c1");
    tracer.published(message("a/b", "hello"));
    tracer.delivered("c1", message("x", "y", "c2"));
    tracer.event("c1", "CONNECTED");
    tracer.published(message("a/b", "other", "c2"));
    tracer.event("c2", "CONNECTED");
    expect(t.lines).toEqual([
      `${at} [info] c1 PUBLISH to a/b (QoS 1, 5 bytes): "hello"`,
      `${at} [debug] c1 DELIVER x (QoS 1, 1 bytes): "y"`,
      `${at} [debug] c1 CONNECTED`,
    ]);
  });

  test("follows a topic filter", () => {
    const { tracer, start, at } = setUp();
    const t = start("topic", "a/#");
    tracer.published(message("a/b", "1"));
    tracer.published(message("b", "2"));
    tracer.delivered("c9", message("a", "3"));
    tracer.published(message("a", "4", ""));
    expect(t.lines).toEqual([
      `${at} [info] c1 PUBLISH to a/b (QoS 1, 1 bytes): "1"`,
      `${at} [debug] c9 DELIVER a (QoS 1, 1 bytes): "3"`,
      `${at} [info] broker PUBLISH to a (QoS 1, 1 bytes): "4"`,
    ]);
    const all = start("topic", "#");
    tracer.published(message("$SYS/brokers", "x", ""));
    expect(all.lines).toEqual([]);
  });

  test("leaves out lines below its level", () => {
    const { tracer, start } = setUp();
    const t = start("client", "c1", "info");
    tracer.delivered("c1", message("x", "y"));
    tracer.published(message("x", "y"));
    expect(t.lines).toHaveLength(1);
  });

  test("start, list, stop; tells when it is of use", () => {
    const { tracer, start, states } = setUp();
    expect(tracer.active).toBe(false);
    const a = start("client", "c1");
    const b = start("topic", "c1");
    expect([a.started, b.started, start("client", "c1").started]).toEqual([true, true, false]);
    expect(tracer.list()).toEqual([
      { kind: "client", what: "c1", file: "c1.log", level: "debug" },
      { kind: "topic", what: "c1", file: "c1.log", level: "debug" },
    ]);
    expect(tracer.stop("client", "c1")).toBe(true);
    expect(tracer.stop("client", "c1")).toBe(false);
    expect(a.closed()).toBe(1);
    tracer.stopAll();
    expect(b.closed()).toBe(1);
    expect(tracer.active).toBe(false);
    expect(states).toEqual([true, true, true, false]);
  });

  test("a line is one line, a payload of any kind is shown", () => {
    const { tracer, start } = setUp();
    const t = start("topic", "#");
    tracer.published(message("a", "x\ny"));
    tracer.published(message("a", new Uint8Array([0xff, 0x00, 0x10])));
    tracer.published(message("a", "é".repeat(2000)));
    tracer.published(message("a", `a${"é".repeat(2000)}`));
    expect(t.lines[0]).toEndWith('"x\\ny"');
    expect(t.lines[1]).toEndWith("0xff0010");
    expect(t.lines[2]).toEndWith(`"${"é".repeat(512)}"…`);
    expect(t.lines[3]).toEndWith(`"a${"é".repeat(511)}"…`);
    expect(t.lines.join("")).not.toContain("\n");
  });

  test("a sink that fails ends its trace, not the broker", () => {
    const { tracer, log } = setUp();
    const broken = {
      line() {
        throw new Error("disk full");
      },
      close() {
        throw new Error("closed");
      },
    };
    tracer.start({ kind: "client", what: "c1", file: "f", level: "debug" }, broken);
    tracer.published(message("a", "b"));
    expect(tracer.active).toBe(false);
    expect(log.lines.map((l) => l.level)).toEqual(["error", "warn"]);
  });
});
