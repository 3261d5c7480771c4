/** Real messages and events of a topic, taken for half a minute at most: examples for somebody who writes a rule. */
import { validTopicFilter } from "../../mqtt/topic.ts";
import { wholeRowJson } from "../_backend/row_template.ts";
import type { PluginContext } from "../plugin.ts";
import type { CaptureRow } from "../rules.ts";
import type { EventColumns } from "./columns.ts";
import { SourceError, type Sources, sourcesOf } from "./events.ts";
import { badArguments } from "./refusal.ts";
import type { Consumer, Watching } from "./watching.ts";

const SECONDS_MAX = 30;
const SAMPLES_MAX = 50;
const BYTES_MAX = 256 * 1024;

class Capture implements Consumer {
  /** Behind all rules. */
  readonly order = Number.MAX_SAFE_INTEGER;
  readonly reads = null;
  readonly row: CaptureRow;
  #bytes = 0;

  constructor(
    readonly sources: Sources,
    topic: string,
    now: number,
    until: number,
    private readonly limit: number,
    private readonly full: () => void,
  ) {
    this.row = { topic, running: true, started_at_ms: now, until_ms: until, seen: 0, samples: [] };
  }

  look(columns: EventColumns): false {
    if (this.row.running) this.#take(columns);
    return false;
  }

  #take(columns: EventColumns): void {
    const { row } = this;
    row.seen++;
    const { event, at, bytes } = columns.noted;
    // What is not looked at costs nothing.
    if (this.#bytes + bytes > BYTES_MAX) return;
    const text = wholeRowJson(sampleOf(columns));
    if (this.#bytes + text.length > BYTES_MAX) return;
    this.#bytes += text.length;
    row.samples.push({ at_ms: at, event: event.name, columns: JSON.parse(text) });
    if (row.samples.length >= this.limit) this.full();
  }
}

/** As a test takes it. */
function sampleOf(columns: EventColumns): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const name of columns.names()) {
    const value = columns.get(name);
    if (value !== undefined) out[name] = value;
  }
  return out;
}

/** One at a time: the next one ends it. */
export class Captures {
  #last: Capture | null = null;
  #cancel = (): void => {};

  constructor(
    private readonly watching: Watching,
    private readonly ctx: Pick<PluginContext, "clock" | "after">,
  ) {}

  /** @throws RuleRefusal */
  start(given: Readonly<Record<string, unknown>>): CaptureRow {
    const { topic, seconds = SECONDS_MAX, limit = SAMPLES_MAX } = given;
    if (typeof topic !== "string" || topic === "") throw badArguments("topic is missing: a topic filter, or an event as in FROM");
    if (typeof seconds !== "number" || !(seconds > 0 && seconds <= SECONDS_MAX))
      throw badArguments(`seconds must be a number up to ${SECONDS_MAX}`);
    if (typeof limit !== "number" || !Number.isInteger(limit) || limit < 1 || limit > SAMPLES_MAX)
      throw badArguments(`limit must be a number from 1 to ${SAMPLES_MAX}`);
    const sources = sourcesOfTopic(topic);
    this.stop();
    const now = this.ctx.clock.now();
    const capture = new Capture(sources, topic, now, now + seconds * 1000, limit, () => this.stop());
    this.#last = capture;
    this.watching.add(capture);
    this.watching.settle();
    this.#cancel = this.ctx.after(seconds * 1000, () => this.stop());
    return capture.row;
  }

  /** The last one; null = there was none. */
  row(): CaptureRow | null {
    return this.#last?.row ?? null;
  }

  stop(): void {
    if (this.#last === null || !this.#last.row.running) return;
    this.#last.row.running = false;
    this.#cancel();
    this.watching.remove(this.#last);
    this.watching.settle();
  }
}

function sourcesOfTopic(topic: string): Sources {
  let sources: Sources;
  try {
    sources = sourcesOf([topic], null);
  } catch (err) {
    throw badArguments(err instanceof SourceError ? err.message : String(err));
  }
  for (const filter of sources.filters)
    if (!validTopicFilter(filter)) throw badArguments(`topic: ${JSON.stringify(filter.slice(0, 64))} is no topic filter`);
  return sources;
}
