/** Would the broker let this client in, and do what it asks? The real chain, without side effects. */
import { batch, type ReadonlySignal, signal } from "@preact/signals";
import type { ExplainRequest, ExplainResult } from "../api/client.ts";
import { type ApiError, asApiError } from "../api/transport.ts";
import type { App } from "./app.ts";

export interface ExplainModel {
  result: ReadonlySignal<ExplainResult | null>;
  /** What the result is the answer to. */
  asked: ReadonlySignal<ExplainRequest | null>;
  error: ReadonlySignal<ApiError | null>;
  busy: ReadonlySignal<boolean>;
  run(r: ExplainRequest): Promise<void>;
  dispose(): void;
}

export function createExplain(app: App): ExplainModel {
  const result = signal<ExplainResult | null>(null);
  const asked = signal<ExplainRequest | null>(null);
  const error = signal<ApiError | null>(null);
  const busy = signal(false);
  return {
    result,
    asked,
    error,
    busy,
    async run(r) {
      busy.value = true;
      error.value = null;
      try {
        const found = await app.api.explain(r);
        batch(() => {
          result.value = found;
          asked.value = r;
        });
      } catch (e) {
        error.value = asApiError(e);
        app.link.report(error.peek());
      }
      busy.value = false;
    },
    dispose() {},
  };
}
