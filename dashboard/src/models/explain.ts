/** Would the broker let this client in, and do what it asks? The real chain, without side effects. */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { ExplainRequest, ExplainResult } from "../api/client.ts";
import { type ApiError, asApiError } from "../api/transport.ts";
import type { App } from "./app.ts";

export interface ExplainModel {
  result: ReadonlySignal<ExplainResult | null>;
  error: ReadonlySignal<ApiError | null>;
  busy: ReadonlySignal<boolean>;
  run(r: ExplainRequest): Promise<void>;
  dispose(): void;
}

export function createExplain(app: App): ExplainModel {
  const result = signal<ExplainResult | null>(null);
  const error = signal<ApiError | null>(null);
  const busy = signal(false);
  return {
    result,
    error,
    busy,
    async run(r) {
      busy.value = true;
      error.value = null;
      try {
        result.value = await app.api.explain(r);
      } catch (e) {
        error.value = asApiError(e);
        app.link.report(error.peek());
      }
      busy.value = false;
    },
    dispose() {},
  };
}
