/** Messages of some topics as they pass, over Server-Sent Events, with reconnect and back-off. */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { LiveMessage } from "../api/client.ts";
import { asApiError } from "../api/transport.ts";
import { fromBase64, utf8 } from "../lib/payload.ts";
import type { App } from "./app.ts";

export interface Seen {
  id: number;
  topic: string;
  payload: Uint8Array;
  qos: number;
  retain: boolean;
  ts: number;
  from: string;
}

export interface LiveMessagesModel {
  running: ReadonlySignal<boolean>;
  connected: ReadonlySignal<boolean>;
  error: ReadonlySignal<string>;
  /** Newest first. */
  messages: Signal<readonly Seen[]>;
  total: ReadonlySignal<number>;
  start(topics: readonly string[]): void;
  stop(): void;
  dispose(): void;
}

const KEEP = 200;
/** A flood is shown a few times a second, not once a message. */
const FLUSH_MS = 150;

export function createLiveMessages(app: App): LiveMessagesModel {
  const running = signal(false);
  const connected = signal(false);
  const error = signal("");
  const messages = signal<readonly Seen[]>([]);
  const total = signal(0);
  let abort: AbortController | null = null;
  let pending: Seen[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let next = 1;

  const flush = (): void => {
    timer = undefined;
    total.value += pending.length;
    messages.value = [...pending.reverse(), ...messages.peek()].slice(0, KEEP);
    pending = [];
  };
  const take = (m: LiveMessage): void => {
    const payload = m.encoding === "base64" ? fromBase64(m.payload) : utf8(m.payload);
    pending.push({ id: next++, topic: m.topic, payload, qos: m.qos, retain: m.retain, ts: m.ts, from: m.from });
    if (pending.length > KEEP * 4) pending = pending.slice(-KEEP);
    timer ??= setTimeout(flush, FLUSH_MS);
  };

  async function run(topics: readonly string[], signalAbort: AbortSignal): Promise<void> {
    let wait = 1000;
    while (!signalAbort.aborted) {
      try {
        await app.api.live(
          topics.join(","),
          (e) => {
            connected.value = true;
            error.value = "";
            wait = 1000;
            if (e.event === "message") take(JSON.parse(e.data) as LiveMessage);
          },
          signalAbort,
        );
      } catch (e) {
        if (signalAbort.aborted) return;
        const failed = asApiError(e);
        error.value = app.explainError(failed);
        if (failed.kind === "unauthorized") app.link.report(failed);
        if (failed.kind !== "network") break;
      }
      connected.value = false;
      await new Promise((r) => setTimeout(r, wait));
      wait = Math.min(wait * 2, 30_000);
    }
    if (!signalAbort.aborted) running.value = false;
  }

  const stop = (): void => {
    abort?.abort();
    abort = null;
    running.value = false;
    connected.value = false;
  };
  return {
    running,
    connected,
    error,
    messages,
    total,
    start(topics) {
      stop();
      abort = new AbortController();
      running.value = true;
      error.value = "";
      void run(topics, abort.signal);
    },
    stop,
    dispose() {
      stop();
      clearTimeout(timer);
    },
  };
}
