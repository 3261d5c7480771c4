/**
 * A server's being away, as it is told: a line in the log and an alarm when it begins, and when it is over. By the alarm's name it is the
 * plugin's, not the back end's: when settings change meanwhile, the back end that takes over goes on with it until it has been answered itself.
 */
import { between, type MonoMs } from "../../lib/time.ts";
import type { BackendHost } from "./host.ts";

/** One that stands now. */
export interface StandingOutage {
  readonly since: MonoMs;
  /** Questions went unanswered, connections did not fail: an answered probe does not say that it is over. */
  doubted: boolean;
}

export class Outage {
  #doubted: boolean;
  /** It has begun here, not with the back end that served before. */
  #isOwn = false;
  #retired = false;

  constructor(
    private readonly host: BackendHost,
    private readonly what: string,
    private readonly alarm: string,
    /** Of the alarm. */
    private readonly title = `${what} is down`,
  ) {
    this.#doubted = this.#standing?.doubted ?? false;
  }

  get #standing(): StandingOutage | undefined {
    return this.host.outages.get(this.alarm);
  }

  /** Also behind one that was taken for over, until a question is answered. */
  get doubted(): boolean {
    return this.#doubted;
  }
  set doubted(doubted: boolean) {
    this.#doubted = doubted;
    if (this.#standing !== undefined && !this.#retired) this.#standing.doubted = doubted;
  }

  /** Others serve now: nobody is told anything of it any more. */
  get retired(): boolean {
    return this.#retired;
  }

  /** `first`: nothing else has been seen of the server. */
  begins(error: string, first: boolean): void {
    if (this.#retired) return;
    this.#isOwn = true;
    this.host.outages.set(this.alarm, { since: this.#standing?.since ?? this.host.clock.mono(), doubted: this.#doubted });
    this.host.log.warn(first ? "server cannot be reached" : "server is down", { server: this.what, error });
    this.host.alarm(this.alarm, { severity: "error", title: this.title, summary: error });
  }

  /** A question was answered, or a probe that proves as much. */
  isOver(): void {
    this.#end(this.#isOwn ? "server is back" : "server answers with its new settings");
  }

  /** Nobody has asked for a while, and nothing says that it goes on. */
  isTakenForOver(why: string): void {
    this.#end(why);
  }

  /** `handedOver`: another back end goes on with it. Else nobody does, and what was wrong is nobody's concern any more. */
  retire(handedOver: boolean): void {
    this.#retired = true;
    if (!handedOver && this.host.outages.delete(this.alarm)) this.host.alarm(this.alarm, null);
  }

  #end(message: string): void {
    const standing = this.#standing;
    if (standing === undefined || this.#retired) return;
    const seconds = Math.round(between(standing.since, this.host.clock.mono()) / 1000);
    this.host.log.notice(message, { server: this.what, seconds });
    this.host.outages.delete(this.alarm);
    this.host.alarm(this.alarm, null);
  }
}
