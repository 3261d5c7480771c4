/**
 * OTLP 1.x as JSON (the protocol's own rules, not those of protobuf's mapping): trace and span ids in hexadecimal, 64-bit integers as text, enums
 * as numbers.
 */
import type { Labels, MetricFamily } from "../../lib/metric_family.ts";

/** AGGREGATION_TEMPORALITY_CUMULATIVE */
const CUMULATIVE = 2;

export type AnyValue = { stringValue: string } | { intValue: string } | { doubleValue: number } | { boolValue: boolean };
export interface KeyValue {
  key: string;
  value: AnyValue;
}

export interface Resource {
  attributes: readonly KeyValue[];
  /** Of this program. */
  version: string;
}

export const attribute = (key: string, value: string | number | boolean): KeyValue => ({ key, value: anyValue(value) });

function anyValue(value: string | number | boolean): AnyValue {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

const attributesOf = (labels: Labels): KeyValue[] => Object.entries(labels).map(([key, value]) => attribute(key, value));

/** Unix ms, with a fraction down to microseconds, as nanoseconds. */
export const nanos = (ms: number): string => `${Math.round(ms * 1000)}000`;

/** Names as the clean ones for Prometheus, which a collector makes of these again: `baomq.messages.received`. */
const instrument = (name: string): string => `baomq.${name.replaceAll("/", ".").replaceAll(/[^\w.-]/g, "_")}`.slice(0, 255);

/** UCUM, where the name says what it counts. */
function unitOf(name: string): string {
  if (/(?:^|\/)bytes(?:\/|$)/.test(name)) return "By";
  if (name.endsWith("/seconds")) return "s";
  return name.endsWith("/percent") ? "%" : "";
}

/** Counters as cumulative sums from `startMs` on, gauges as they are; Unix ms. */
export function metricsBody(families: readonly MetricFamily[], resource: Resource, startMs: number, nowMs: number): string {
  // Somebody may have set the clock back.
  const startTimeUnixNano = nanos(Math.min(startMs, nowMs));
  const timeUnixNano = nanos(nowMs);
  const metrics = families.flatMap(({ name, type, help, rows }) => {
    const finite = rows.filter(([, value]) => Number.isFinite(value));
    if (finite.length === 0) return [];
    const points = finite.map(([labels, value]) => ({
      attributes: attributesOf(labels),
      timeUnixNano,
      ...(type === "gauge" ? { asDouble: value } : { startTimeUnixNano, asInt: String(Math.round(value)) }),
    }));
    const sum = { dataPoints: points, aggregationTemporality: CUMULATIVE, isMonotonic: true };
    const head = { name: instrument(name), description: help, unit: unitOf(name) };
    return [{ ...head, ...(type === "gauge" ? { gauge: { dataPoints: points } } : { sum }) }];
  });
  const scopeMetrics = [{ scope: scope(resource), metrics }];
  return JSON.stringify({ resourceMetrics: [{ resource: { attributes: resource.attributes }, scopeMetrics }] });
}

/** `spans`: each as JSON already. */
export function tracesBody(spans: readonly string[], resource: Resource): string {
  const head = JSON.stringify({ attributes: resource.attributes });
  return `{"resourceSpans":[{"resource":${head},"scopeSpans":[{"scope":${JSON.stringify(scope(resource))},"spans":[${spans.join(",")}]}]}]}`;
}

const scope = ({ version }: Resource) => ({ name: "baomq", version });
