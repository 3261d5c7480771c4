/** Public keys from a URL (RFC 7517, section 5): fetched now and then, and when a token names one that is not known. */
import { createPublicKey } from "node:crypto";
import type { AlarmDetails } from "../../core/watch/alarms.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import { shownValue } from "../_auth/asking.ts";
import { oddAnswers } from "../_auth/odd_answers.ts";
import type { SourceHost } from "../_auth/source.ts";
import { advised, tlsKeys } from "../_backend/advice.ts";
import { Backend } from "../_backend/backend.ts";
import { BackendError } from "../_backend/errors.ts";
import { leaveUnread, limitedText } from "../_backend/http.ts";
import type { Candidate, Candidates, KeyRing } from "./check.ts";
import { type Verifiers, verifiersOf } from "./token.ts";

export interface JwksOptions {
  url: URL;
  refreshMs: number;
  timeoutMs: number;
  tls: Bun.TLSOptions;
}

interface Key {
  readonly kid: string | null;
  readonly verifiers: Verifiers;
}

interface Jwk {
  kty?: unknown;
  use?: unknown;
  kid?: unknown;
  alg?: unknown;
}

/** None where it is for other algorithms. */
function candidate({ kid, verifiers }: Key, alg: string): Candidate[] {
  const verify = verifiers.get(alg);
  return verify === undefined ? [] : [{ verify, name: `auth.jwt.jwks (${kid === null ? "a key without a name" : shownValue(kid)})` }];
}

const KEYS = { server: "auth.jwt.jwks", timeout: "auth.jwt.jwks.timeout", ...tlsKeys("auth.jwt.jwks.ssl") };

const BYTES_MAX = 1024 * 1024;
/** More of them would only cost whoever comes with a token that names none. */
const KEYS_MAX = 100;
/** Without a look at the URL keys are good for so many times as long as until they are fetched again, and so long at least, ms: who has one that was withdrawn there must not come in for ever because it is away. */
const [GOOD_TIMES, GOOD_MS] = [10, 24 * 3_600_000];
const HOUR_MS = 3_600_000;
const ALARM = "keys";
/** For a name that is not known the keys are fetched so often at most, ms: anybody can make up names. */
const UNKNOWN_MS = 10_000;
/** The request itself is given up a little behind its call. */
const ABORT_AFTER_MS = 500;

export class Jwks implements KeyRing {
  readonly backend: Backend<null>;
  #keys: readonly Key[] = [];
  #fetchedAt: MonoMs | null = null;
  /** Requests so far, and which of them brought the keys; 0 = none has, those there are were handed over. */
  #requests = 0;
  #newest = 0;
  /** The look that is under way, if it counts. */
  #look: Promise<void> | null = null;
  readonly #odd;

  /** `former`: with the settings before these. What it has fetched from there as one would now is good still, and as old as it is. */
  constructor(
    private readonly host: SourceHost,
    private readonly o: JwksOptions,
    former: Jwks | null = null,
  ) {
    this.#odd = oddAnswers(host)(null);
    if (former !== null && former.o.url.href === o.url.href && Bun.deepEquals(former.o.tls, o.tls)) {
      this.#keys = former.#keys;
      this.#fetchedAt = former.#fetchedAt;
    }
    const what = `Keys at ${o.url.origin}${o.url.pathname}`;
    const options = {
      what,
      open: () => null,
      close: () => {},
      // What it has is good for a while (`#isOld`). Whether the URL is back only fetching tells, which is all that is ever asked of it.
      probe: async (_: null, isDown: boolean) =>
        void ((isDown || this.#newest === 0 || this.#isOlderThan(o.refreshMs)) && (await this.#fetch())),
      ...advised({ judge: () => "down", table: [], keys: KEYS }),
      pool: 1,
      perConnection: 1,
      timeoutMs: o.timeoutMs,
      alarm: ALARM,
      retries: 0,
      probeProves: "always" as const,
    };
    const { clock, log, outages } = host;
    const alarm: SourceHost["alarm"] = (what, desc) => host.alarm(what, desc !== null && what === ALARM ? this.#withAge(desc) : desc);
    this.backend = new Backend<null>({ clock, log, outages, alarm, every: (ms, fn) => host.every(ms, fn) }, options, host.figures(what));
  }

  get #goodMs(): number {
    return Math.max(GOOD_MS, GOOD_TIMES * this.o.refreshMs);
  }

  /** So old that it may have been withdrawn long ago. */
  get #isOld(): boolean {
    return this.#isOlderThan(this.#goodMs);
  }

  /** What holds of keys from then while the URL is away; "" = nothing was ever fetched. */
  #ageWords(fetchedAt: MonoMs | null): string {
    if (fetchedAt === null) return "";
    const ms = between(fetchedAt, this.host.clock.mono());
    const good = `${Math.floor(this.#goodMs / HOUR_MS)} h`;
    const then = ms >= this.#goodMs ? `are too old to let in anybody: ${good}` : `let in until they are ${good} old`;
    const age = Math.floor(ms / HOUR_MS);
    return `; the keys that were fetched ${age} h ago ${then} (${GOOD_TIMES} times auth.jwt.jwks.refresh_interval, at least a day)`;
  }

  #withAge(desc: AlarmDetails): AlarmDetails {
    const before = this.#fetchedAt;
    // The history takes the summary when the outage is over, and there are new keys mostly: it is to say how things stood with those before.
    const age = (): string => this.#ageWords(this.host.outages.has(ALARM) ? this.#fetchedAt : before);
    return {
      ...desc,
      get summary() {
        return desc.summary + age();
      },
    };
  }

  /** Keys without a name may be anybody's. Where all are too old, none is known. */
  find(alg: string, kid: string | null): Candidates {
    const good = this.#isOld ? [] : this.#keys;
    const named = kid === null ? good : good.filter((key) => key.kid === kid || key.kid === null);
    const unknown = named.every((key) => kid !== null && key.kid !== kid);
    return { keys: named.flatMap((key) => candidate(key, alg)), unknown };
  }

  /** Perhaps there are new ones; `unnoticed`: nothing of it is counted. False = there was a look at them just now. @throws BackendError */
  async renewed(unnoticed = false): Promise<boolean> {
    if (!this.#isOlderThan(UNKNOWN_MS)) return false;
    // Where a key is new everybody needs the same look: one takes a place in line, not each.
    try {
      await (this.#look ?? this.#looked(unnoticed));
    } catch (err) {
      throw err instanceof BackendError && this.#isOld ? new BackendError(err.kind, err.message + this.#ageWords(this.#fetchedAt)) : err;
    }
    return true;
  }

  #looked(unnoticed: boolean): Promise<void> {
    const look = async (): Promise<void> => {
      // A probe may have had one, or somebody before whom this one stood in line.
      if (this.#isOlderThan(UNKNOWN_MS)) await this.#fetch();
    };
    const asked = this.backend.ask(look, undefined, unnoticed);
    // If it fails it counts for nothing: who comes in by it has a look of his own.
    if (unnoticed) return asked;
    this.#look = asked.finally(() => {
      this.#look = null;
    });
    return this.#look;
  }

  #isOlderThan(ms: number): boolean {
    return this.#fetchedAt === null || between(this.#fetchedAt, this.host.clock.mono()) >= ms;
  }

  async #fetch(): Promise<void> {
    const { url, timeoutMs, tls } = this.o;
    const request = ++this.#requests;
    const response = await fetch(url, {
      signal: AbortSignal.timeout(timeoutMs + ABORT_AFTER_MS),
      redirect: "error",
      // Whatever `http_proxy` says in the environment: a proxy could give keys of its own.
      proxy: false,
      tls,
    } as BunFetchRequestInit);
    if (response.status !== 200) {
      await leaveUnread(response);
      throw new BackendError("down", `http ${response.status}; see auth.jwt.jwks`);
    }
    // Refused would mean that it is there: everybody who makes up a name would have it fetched again.
    const keys = this.#read(await limitedText(response, BYTES_MAX, "down"));
    // A probe and a question are on their way together: whoever was asked later has the last word.
    if (request < this.#newest) return;
    this.#newest = request;
    this.#keys = keys;
    this.#fetchedAt = this.host.clock.mono();
  }

  /** What is no public key for signatures is left out. */
  #read(text: string): Key[] {
    let set: unknown;
    try {
      set = JSON.parse(text);
    } catch {
      throw new BackendError("down", "what is there is no JSON; see auth.jwt.jwks");
    }
    const list = (set as { keys?: unknown } | null)?.keys;
    if (!Array.isArray(list)) throw new BackendError("down", "what is there has no list of keys; see auth.jwt.jwks");
    return (list as (Jwk | null)[]).slice(0, KEYS_MAX).flatMap((jwk) => {
      if (jwk === null || typeof jwk !== "object" || jwk.kty === "oct" || (jwk.use !== undefined && jwk.use !== "sig")) return [];
      try {
        const all = verifiersOf(createPublicKey({ key: jwk as never, format: "jwk" }));
        const verifiers = typeof jwk.alg === "string" ? new Map([...all].filter(([alg]) => alg === jwk.alg)) : all;
        return [{ kid: typeof jwk.kid === "string" ? jwk.kid : null, verifiers }];
      } catch (err) {
        this.#odd("auth.jwt.jwks", `a key is left out: ${err instanceof Error ? err.message : String(err)}`);
        return [];
      }
    });
  }
}
