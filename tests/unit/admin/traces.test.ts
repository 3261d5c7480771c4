import { describe, expect, test } from "bun:test";
import { Tracer, type TraceSink } from "../../../server/core/watch/tracer.ts";
import { administer } from "./harness.ts";

async function traced() {
  const opened: string[] = [];
  let refusing = "";
  const all = await administer();
  const tracer = new Tracer(all.kit.clock, all.kit.log, () => {});
  const open = (file: string): TraceSink => {
    if (refusing !== "") throw new Error(refusing);
    opened.push(file);
    return { line() {}, close() {} };
  };
  const { admin } = await administer({ traces: { tracer, open } });
  const refuse = (why: string): void => {
    refusing = why;
  };
  return { admin, opened, refuse };
}

describe("traces", () => {
  test("started, listed, stopped; a file of its kind when none is named, every level when none is", async () => {
    const { admin, opened } = await traced();
    admin.traces.start({ kind: "client", what: "c" });
    admin.traces.start({ kind: "topic", what: "a/#", file: "log/t.log", level: "error" });
    admin.traces.start({ kind: "topic", what: "b", file: "" });
    expect(admin.traces.list()).toEqual([
      { kind: "client", what: "c", file: "trace-client.log", level: "all" },
      { kind: "topic", what: "a/#", file: "log/t.log", level: "error" },
      { kind: "topic", what: "b", file: "trace-topic.log", level: "all" },
    ]);
    expect(opened).toEqual(["trace-client.log", "log/t.log", "trace-topic.log"]);
    expect(() => admin.traces.start({ kind: "client", what: "c" })).toThrow(
      expect.objectContaining({ code: 102, message: "already_existed" }),
    );
    expect(opened).toHaveLength(3);
    admin.traces.stop("client", "c");
    expect(() => admin.traces.stop("client", "c")).toThrow(expect.objectContaining({ code: 102, message: "not_found" }));
    expect(() => admin.traces.stop("constructor", "c")).toThrow(expect.objectContaining({ code: 108 }));
    expect(admin.traces.list()).toHaveLength(2);
  });

  test("refusals open no file", async () => {
    const { admin, opened, refuse } = await traced();
    for (const [params, code, message] of [
      [{}, 108, "value of 'kind' must be one of: ['client', 'topic']"],
      [{ kind: "client" }, 107, "missing mandatory params: ['what']"],
      [{ kind: "client", what: "" }, 107, "missing mandatory params: ['what']"],
      [{ kind: "topic", what: "a#" }, 115, "bad_topic"],
      [{ kind: "client", what: "c", file: 5 }, 108, "value of 'file' must be a file in the log directory"],
      [{ kind: "client", what: "c", file: "a\nb" }, 108, "value of 'file' must be a file in the log directory"],
      [{ kind: "client", what: "c", file: "x".repeat(1025) }, 108, "value of 'file' must be a file in the log directory"],
      [{ kind: "client", what: "c", level: "loud" }, 108, expect.stringMatching(/^value of 'level' must be one of: \['all', 'debug'/)],
    ] as const)
      expect(() => admin.traces.start(params)).toThrow(expect.objectContaining({ code, message }));
    refuse("/etc/x is not in the log directory");
    expect(() => admin.traces.start({ kind: "client", what: "c", file: "/etc/x" })).toThrow(
      expect.objectContaining({ code: 108, message: "value of 'file': /etc/x is not in the log directory" }),
    );
    expect([opened, admin.traces.list()]).toEqual([[], []]);
    refuse("");
    admin.traces.start({ kind: "client", what: "a#", file: "x".repeat(1024) });
    expect(opened).toHaveLength(1);
  });

  test("sixty-four at once", async () => {
    const { admin, opened } = await traced();
    for (let i = 0; i < 64; i++) admin.traces.start({ kind: i % 2 === 0 ? "client" : "topic", what: `t${i}` });
    const full = expect.objectContaining({ code: 108, message: "no more than 64 traces can run at once: stop some" });
    expect(() => admin.traces.start({ kind: "client", what: "one more" })).toThrow(full);
    expect(() => admin.traces.start({ kind: "client", what: "t0" })).toThrow(expect.objectContaining({ message: "already_existed" }));
    expect([opened.length, admin.traces.list().length]).toEqual([64, 64]);
    admin.traces.stop("client", "t0");
    admin.traces.start({ kind: "client", what: "one more" });
    expect(admin.traces.list()).toHaveLength(64);
  });

  test("where the program offers none", async () => {
    const { admin } = await administer();
    expect(admin.traces.list()).toEqual([]);
    for (const command of [() => admin.traces.start({ kind: "client", what: "c" }), () => admin.traces.stop("client", "c")])
      expect(command).toThrow(expect.objectContaining({ code: 102, message: "traces are not available here" }));
    expect(() => admin.runtime.log()).toThrow(expect.objectContaining({ code: 102, message: "the log cannot be controlled here" }));
    expect(() => admin.runtime.setLogLevel("error", undefined)).toThrow(expect.objectContaining({ code: 102 }));
  });
});

describe("the tree of topics", () => {
  test("one level, by name, with what lies below", async () => {
    const { admin, kit } = await administer();
    const client = kit.connected("c");
    for (const filter of ["a/b", "a/b/c", "a/+", "b", "ab"]) client.subscribe(filter);
    await admin.pubsub.publish({ topic: "a/b", payload: "x", retain: true });
    await admin.pubsub.publish({ topic: "a/d/e", payload: "x", retain: true });
    const top = await admin.topics.tree("", 10);
    const node = { routes: 0, retained: 0, children: false, is_route: false };
    expect(top).toEqual({
      prefix: "",
      truncated: false,
      nodes: [
        { ...node, name: "a", topic: "a", routes: 3, retained: 2, children: true },
        { ...node, name: "ab", topic: "ab", routes: 1, is_route: true },
        { ...node, name: "b", topic: "b", routes: 1, is_route: true },
      ],
    });
    expect((await admin.topics.tree("a", 10)).nodes).toEqual([
      { ...node, name: "+", topic: "a/+", routes: 1, is_route: true },
      { ...node, name: "b", topic: "a/b", routes: 2, retained: 1, children: true, is_route: true },
      { ...node, name: "d", topic: "a/d", retained: 1, children: true },
    ]);
    const short = await admin.topics.tree("a", 2);
    expect([short.nodes.map((n) => n.name), short.truncated]).toEqual([["+", "b"], true]);
    expect((await admin.topics.tree("a", 3)).truncated).toBe(false);
    expect((await admin.topics.tree("nowhere", 5)).nodes).toEqual([]);
  });

  test("no answer has more than a thousand", async () => {
    const { admin, kit } = await administer();
    const client = kit.connected("c");
    for (let i = 0; i < 1001; i++) client.subscribe(`t${i}`);
    const { nodes, truncated } = await admin.topics.tree("", 5000);
    expect([nodes.length, truncated]).toEqual([1000, true]);
  });
});
