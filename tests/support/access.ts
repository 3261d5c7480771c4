/** Clients, zones, a clock and logs for tests of the access chain and of what is observed. */
import type { Clock, Log } from "../../server/core/ports.ts";
import type { ClientInfo } from "../../server/core/types.ts";
import type { MonoMs, WallMs } from "../../server/lib/time.ts";
import { testZone } from "./zone.ts";

export const silentLog: Log = { error() {}, warn() {}, notice() {}, info() {}, debug() {} };

export interface LogLine {
  level: "error" | "warn" | "notice" | "info" | "debug";
  message: string;
  fields: Record<string, unknown>;
}

/** A log that remembers its lines. */
export function recordingLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine["level"]) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      lines.push({ level, message, fields });
    };
  return { lines, error: at("error"), warn: at("warn"), notice: at("notice"), info: at("info"), debug: at("debug") };
}

/** Stands still until told. Its two hands are far apart, so that one taken for the other is noticed. */
export class FakeClock implements Clock {
  #mono = 1_000_000;
  constructor(public ms = 1_557_144_000_000) {}
  now(): WallMs {
    return this.ms as WallMs;
  }
  mono(): MonoMs {
    return this.#mono as MonoMs;
  }
  forward(ms: number): void {
    this.ms += ms;
    this.#mono += ms;
  }
  /** Somebody sets the wall clock. */
  jump(ms: number): void {
    this.ms += ms;
  }
}

export function aClient(changes: Partial<ClientInfo> = {}): ClientInfo {
  return {
    clientId: "c1",
    username: "joe",
    ip: "10.0.0.1",
    port: 40_000,
    version: 4,
    protocolName: "MQTT",
    zone: changes.zone ?? testZone(),
    listener: "mqtt:tcp",
    isSuper: false,
    mountpoint: "",
    cleanStart: true,
    keepalive: 60,
    isBridge: false,
    cert: null,
    ...changes,
  };
}
