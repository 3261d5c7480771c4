/**
 * A web service as a back end. While it, or a proxy before it, answers that it is not available it speaks: what one client hears keeps nobody else from
 * asking, so that no breaker opens. Where nobody hears anything else there is an alarm.
 */
import { between, type MonoMs } from "../../lib/time.ts";
import type { SourceHost } from "../_auth/source.ts";
import { advised, type SettingKeys } from "../_backend/advice.ts";
import { Backend } from "../_backend/backend.ts";
import type { Rank } from "../_backend/calls.ts";
import { BackendError } from "../_backend/errors.ts";
import type { BackendHost } from "../_backend/host.ts";
import type { BackendOptions, Judgement } from "../_backend/options.ts";
import { Outage } from "../_backend/outage.ts";
import { portOf, reach } from "../_backend/reach.ts";
import { Unavailable } from "./request.ts";

/** As EMQ X 3.1: a request is sent again so often behind a connection that was closed. */
const RETRIES = 3;
/** So many answers that it is not available, and none of another kind between them, over so many time limits, are an outage. */
const ANSWERS_MIN = 5;
const LIMITS_MIN = 3;
/** Nobody has asked for so long: whether it still is one is not known. */
const UNASKED_MS = 60_000;

/** Its answers to questions, in turn. */
class Availability {
  readonly #outage: Outage;
  /** Since when, and how often it has said nothing but that it is not available. */
  #since: MonoMs | null = null;
  /** When it has said so, or, while there is an alarm, was to be asked. */
  #last: MonoMs;
  #answers = 0;
  /** There is an alarm. */
  #told: boolean;
  readonly #stop: () => void;

  constructor(
    private readonly host: BackendHost,
    private readonly o: Pick<BackendOptions<null>, "what" | "alarm" | "timeoutMs">,
  ) {
    const { what } = o;
    const alarm = o.alarm.replace("down", "unavailable");
    this.#outage = new Outage(host, what, alarm, `${what} answers that it is not available`);
    // With other settings it goes on.
    this.#told = host.outages.has(alarm);
    this.#last = host.clock.mono();
    this.#stop = host.every(1000, () => this.#tick());
  }

  retire(heir: boolean): void {
    this.#stop();
    this.#outage.retire(heir);
  }

  /** Whatever comes of it: where the service is gone by now nobody hears from it, but it is not forgotten. */
  asked(): void {
    if (this.#told) this.#last = this.host.clock.mono();
  }

  answered(): void {
    if (this.#told) this.#outage.isOver();
    this.#forget();
  }

  #forget(): void {
    this.#since = null;
    this.#answers = 0;
    this.#told = false;
  }

  #tick(): void {
    if ((this.#since === null && !this.#told) || between(this.#last, this.host.clock.mono()) < UNASKED_MS) return;
    if (this.#told) this.#outage.isTakenForOver("nobody has asked the server for a while: taken for available");
    this.#forget();
  }

  /** What has come to nothing without an answer says nothing of it. */
  failed(err: unknown): void {
    if (err instanceof Unavailable) this.#said(err.message);
    else if (err instanceof BackendError && err.kind === "refused") this.answered();
  }

  #said(text: string): void {
    const now = this.host.clock.mono();
    this.#since ??= now;
    this.#last = now;
    if (++this.#answers < ANSWERS_MIN || between(this.#since, now) < LIMITS_MIN * this.o.timeoutMs || this.#told) return;
    this.#told = true;
    this.#outage.begins(text, false);
  }
}

/** One service, whoever of the plugin's requests asks it. */
export class Service extends Backend<null> {
  readonly #availability: Availability;

  constructor(host: SourceHost, options: BackendOptions<null>) {
    super(host, options, host.figures(options.what));
    this.#availability = new Availability(host, options);
  }

  override async ask<T>(question: (driver: null) => Promise<T>, wanted?: () => boolean, unnoticed = false, rank?: Rank): Promise<T> {
    const asked = super.ask(question, wanted, unnoticed, rank);
    if (unnoticed) return asked;
    this.#availability.asked();
    try {
      const answer = await asked;
      this.#availability.answered();
      return answer;
    } catch (err) {
      this.#availability.failed(err);
      throw err;
    }
  }

  override retire(heir: boolean, decided?: Promise<void>): Promise<void> {
    this.#availability.retire(heir);
    return super.retire(heir, decided);
  }
}

/** Whoever answers at `url`'s origin. `keys`: the settings that its errors name. `timeoutMs`: of a call. */
export function serviceAt(host: SourceHost, url: URL, keys: SettingKeys, pool: number, timeoutMs: number): Service {
  return new Service(host, {
    what: `HTTP service at ${url.origin}`,
    open: () => null,
    close: () => {},
    probe: () => reach(url, timeoutMs),
    ...advised({ judge: judgeHttp, table: [], keys }),
    pool,
    perConnection: 1,
    timeoutMs,
    alarm: alarmOf(url),
    retries: RETRIES,
    // Somebody who takes connections need not answer requests.
    probeProves: false,
  });
}

/**
 * One for each origin: down_https_auth.example_443. It is a level of a topic, so that whatever else is in a host's name is `_` and two hexadecimal
 * digits: no two origins have one name.
 */
function alarmOf(url: URL): string {
  const host = url.hostname.replace(/[^a-z0-9.-]/gi, (odd) => `_${odd.charCodeAt(0).toString(16).padStart(2, "0")}`);
  return `down_${url.protocol.slice(0, -1)}_${host}_${portOf(url)}`;
}

function judgeHttp(err: unknown): Judgement {
  const { code } = (err ?? {}) as { code?: unknown };
  return code === "ECONNRESET" || code === "ConnectionClosed" ? "lost" : "down";
}
