/** Whatever user properties a message has: it goes on as it came but for the one word, and every span is one a collector takes. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Message } from "../../../../server/core/message.ts";
import type { UserProperty } from "../../../../server/mqtt/types.ts";
import { tracesBody } from "../../../../server/plugins/statsd/otlp_json.ts";
import { SpanQueue } from "../../../../server/plugins/statsd/span_queue.ts";
import { Spans } from "../../../../server/plugins/statsd/spans.ts";
import { isSampled, readTraceparent } from "../../../../server/plugins/statsd/trace_context.ts";
import { checkedTraces, type OtlpSpan, plain } from "../../../support/otlp.ts";
import { TestClock } from "../../../support/test_broker.ts";

const RESOURCE = { attributes: [], version: "0" };
const hex = (n: number) => fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: n, maxLength: n });
const traceparent = fc.oneof(
  fc.tuple(fc.constantFrom("00", "00", "01", "ff", "0"), hex(32), hex(16), fc.constantFrom("00", "01", "03", "fe")).map((p) => p.join("-")),
  fc.string({ unit: "grapheme" }),
  fc.constant(`00-${"0".repeat(32)}-${"0".repeat(16)}-01`),
);
const property: fc.Arbitrary<UserProperty> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constant("traceparent"), traceparent) },
  fc.tuple(fc.constant("tracestate"), fc.string({ maxLength: 700, unit: "grapheme" })),
  fc.tuple(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" })),
);
const text = fc.oneof(fc.string({ unit: "grapheme", minLength: 1 }), fc.constant("😀".repeat(600)), fc.constant(`x${"😀".repeat(600)}`));

test("random properties, topics and receivers", () => {
  fc.assert(
    fc.property(
      fc.array(property, { maxLength: 4 }),
      text,
      text,
      fc.nat(20),
      fc.boolean(),
      (properties, topic, clientId, receivers, retain) => {
        const queue = new SpanQueue(() => {
          throw new Error("there is room");
        });
        const later: (() => void)[] = [];
        const spans = new Spans(new TestClock(), queue, (fn) => later.push(fn));
        const before = structuredClone(properties);
        const m = new Message(topic, Buffer.from("x"), 1, retain, clientId, null, 1_700_000_000_000, 0, {
          userProperties: properties,
          contentType: "a",
        });
        const out = spans.published(m);
        for (let i = 0; i < receivers; i++) spans.delivered(`${clientId}${i}`, out);
        for (const fn of later) fn();
        spans.delivered("late", out);

        const parents = properties.filter(([name]) => name === "traceparent").map(([, value]) => readTraceparent(value));
        const parent = parents.length === 1 ? (parents[0] ?? null) : null;
        const isTraced = parent !== null && isSampled(parent);
        expect(m.properties?.userProperties).toEqual(before);
        const made = queue.take();
        if (!isTraced) {
          expect([out === m, made.length, later.length]).toEqual([true, 0, 0]);
          return;
        }
        const [
          {
            scopeSpans: [{ spans: all } = { spans: [] as OtlpSpan[] }],
          } = { scopeSpans: [] },
        ] = checkedTraces(tracesBody(made, RESOURCE)).resourceSpans;
        expect(all.map((s) => s.name)).toEqual(retain ? ["publish"] : ["publish", "deliver"]);
        const [span] = all as [OtlpSpan];
        expect([span.traceId, span.parentSpanId]).toEqual([parent.traceId, parent.spanId]);
        expect(plain(span.attributes)["baomq.deliveries"]).toBe(String(receivers));
        expect((span.events?.length ?? 0) + (span.droppedEventsCount ?? 0)).toBe(receivers);
        const words = JSON.stringify(all);
        expect(words.isWellFormed() && !/\\ud[89a-f]/.test(words)).toBe(true);
        const rest = (list: readonly UserProperty[] | undefined) =>
          list?.map(([name, value]) => (name === "traceparent" ? [name] : [name, value]));
        expect(rest(out.properties?.userProperties)).toEqual(rest(before));
        expect([out.topic, out.qos, out.retain, out.from, out.properties?.contentType]).toEqual([topic, 1, retain, clientId, "a"]);
        const sent = out.properties?.userProperties?.find(([name]) => name === "traceparent")?.[1] ?? "";
        expect(readTraceparent(sent)).toEqual({ ...parent, spanId: span.spanId });
      },
    ),
    { numRuns: 1000, seed: 17 },
  );
});

test("the queue: batches bounded in number and bytes, in order; what waits is bounded", () => {
  const queue = new SpanQueue(() => {});
  let n = 0;
  while (queue.room > 0) queue.add(`${n++} ${"x".repeat(3000)}`);
  // 4 MiB, and no more than the last one beyond it.
  expect(n * 3000).toBeGreaterThan(4_100_000);
  expect(n * 3000).toBeLessThan(4_200_000);
  const seen: string[] = [];
  while (queue.length > 0) {
    const batch = queue.take();
    expect(batch.join("").length).toBeLessThanOrEqual(512 * 1024);
    seen.push(...batch.map((span) => span.split(" ")[0] as string));
  }
  expect(seen).toEqual(Array.from({ length: n }, (_, i) => String(i)));
  for (let i = 0; i < 600; i++) queue.add("small");
  expect([queue.isBatch, queue.take().length, queue.isBatch, queue.length]).toEqual([true, 512, false, 88]);
  queue.add("y".repeat(600_000));
  expect(queue.take()).toHaveLength(88);
  // One that is larger than a batch goes alone.
  expect(queue.take()).toHaveLength(1);
  expect(queue.take()).toEqual([]);
});
