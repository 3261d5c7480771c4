/** Finished spans on their way: bounded in number and bytes; what finds no room is counted. */
import type { SpanSink } from "./spans.ts";

const SPANS_MAX = 4096;
const BYTES_MAX = 4 * 1024 * 1024;
/** Of one request. */
const BATCH_SPANS = 512;
const BATCH_BYTES = 512 * 1024;

export class SpanQueue implements SpanSink {
  #spans: string[] = [];
  #bytes = 0;

  /** `lost`: told of each that found no room. */
  constructor(private readonly lost: (n: number) => void) {}

  get length(): number {
    return this.#spans.length;
  }
  get room(): number {
    return this.#bytes < BYTES_MAX ? SPANS_MAX - this.#spans.length : 0;
  }
  /** As many wait as one request takes. */
  get isBatch(): boolean {
    return this.#spans.length >= BATCH_SPANS || this.#bytes >= BATCH_BYTES;
  }

  add(span: string): void {
    this.#spans.push(span);
    this.#bytes += span.length;
  }

  dropped(): void {
    this.lost(1);
  }

  /** The oldest, as many as one request takes; they are not here any more. */
  take(): string[] {
    let bytes = 0;
    let n = 0;
    while (n < this.#spans.length && n < BATCH_SPANS) {
      bytes += (this.#spans[n] as string).length;
      if (n > 0 && bytes > BATCH_BYTES) break;
      n++;
    }
    const batch = this.#spans.splice(0, n);
    for (const span of batch) this.#bytes -= span.length;
    return batch;
  }
}
