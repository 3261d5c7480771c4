/**
 * Clients that come and go too often are banned for a while (zone settings `enable_flapping_detect`, `flapping_threshold`,
 * `flapping_banned_expiry_interval`). Off costs one comparison. Memory is bounded whatever the number of clients.
 */

import { loggedName } from "../../lib/mask.ts";
import type { Clock, Log } from "../ports.ts";
import type { ClientInfo } from "../types.ts";
import type { Metrics } from "../watch/metrics.ts";
import type { Banned } from "./banned.ts";

/** Times remembered over all clients: 8 bytes each. */
const MAX_TIMES = 200_000;
/** How often forgotten clients are looked for, ms. */
const SWEEP_MS = 60_000;

interface Track {
  /** Times of connects and disconnects within the window, ms, oldest first. */
  times: number[];
  /** Window of the client's zone, ms. */
  intervalMs: number;
}

export class Flapping {
  /** By client id; the one that moved last stands last. */
  private readonly tracks = new Map<string, Track>();
  private remembered = 0;
  private nextSweep = 0;

  constructor(
    private readonly banned: Banned,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly metrics: Metrics,
    private readonly maxTimes = MAX_TIMES,
  ) {}

  /** Clients that are watched now. */
  get size(): number {
    return this.tracks.size;
  }

  /** The client has connected or disconnected. True = that was too often: it is banned from now on. */
  note(client: ClientInfo): boolean {
    const { zone } = client;
    if (!zone.enableFlappingDetect) return false;
    const { count, intervalMs } = zone.flappingThreshold;
    const now = this.clock.mono();
    const track = this.take(client.clientId, intervalMs, now);
    track.times.push(now);
    this.remembered++;
    if (track.times.length > count) {
      this.remembered -= track.times.length;
      this.ban(client, track.times.length);
      return true;
    }
    this.tracks.set(client.clientId, track);
    this.shrink();
    return false;
  }

  /** Connects and disconnects of a client within its window so far. */
  count(clientId: string): number {
    const track = this.tracks.get(clientId);
    if (!track) return 0;
    const from = this.clock.mono() - track.intervalMs;
    return track.times.filter((t) => t > from).length;
  }

  /** Forget clients that have been quiet for a whole window. Call at ticks. */
  sweep(): void {
    const now = this.clock.mono();
    if (now < this.nextSweep) return;
    this.nextSweep = now + SWEEP_MS;
    for (const [id, track] of this.tracks) {
      if ((track.times.at(-1) ?? 0) <= now - track.intervalMs) this.forget(id, track);
    }
  }

  /** Out of the table, without the times that have left the window. */
  private take(clientId: string, intervalMs: number, now: number): Track {
    const track = this.tracks.get(clientId) ?? { times: [], intervalMs };
    this.tracks.delete(clientId);
    track.intervalMs = intervalMs;
    const gone = track.times.findIndex((t) => t > now - intervalMs);
    const drop = gone < 0 ? track.times.length : gone;
    track.times.splice(0, drop);
    this.remembered -= drop;
    return track;
  }

  private ban(client: ClientInfo, times: number): void {
    const { zone, clientId } = client;
    const until = Math.ceil((this.clock.now() + zone.flappingBannedExpiryMs) / 1000);
    const desc = `connected or disconnected ${times} times within ${zone.flappingThreshold.intervalMs / 1000} s`;
    this.metrics.flappingDetected++;
    this.log.warn("client is flapping: banned", { clientid: loggedName(clientId), ip: client.ip, times, until });
    this.banned.add({ who: clientId, as: "client_id", reason: "flapping", desc, by: "flapping_checker", until });
  }

  private shrink(): void {
    for (const [id, track] of this.tracks) {
      if (this.remembered <= this.maxTimes) return;
      this.forget(id, track);
    }
  }

  private forget(clientId: string, track: Track): void {
    this.tracks.delete(clientId);
    this.remembered -= track.times.length;
  }
}
