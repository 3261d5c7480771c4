/** The rules of a client, asked for once for all the topics it begins with. */
import type { AclStep, Action, ClientInfo } from "../../core/types.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import type { LookupHost } from "./lookup.ts";
import { type RuleSet, verdictOf } from "./rules.ts";

/**
 * Verdicts are kept by the connection (`acl_cache_ttl`); the rules behind them only as long as a client takes to subscribe, ms. Where the zone
 * keeps no verdicts, no rules either: whoever asks while an answer is under way gets that one, and the next one asks again.
 */
const RULES_MS = 5000;

interface Kept {
  set: RuleSet | Promise<RuleSet>;
  readonly at: MonoMs;
  readonly epoch: number;
  readonly generation: number | undefined;
}

export class KeptRules {
  /** By connection. */
  readonly #kept = new WeakMap<ClientInfo, Kept>();

  constructor(
    private readonly host: Pick<LookupHost, "clock" | "aclEpoch">,
    private readonly ask: (client: ClientInfo) => Promise<RuleSet>,
  ) {}

  /** They have come with the answer to another question. */
  put(client: ClientInfo, set: RuleSet): void {
    if (keepMs(client) > 0) this.#kept.set(client, this.#entry(client, set));
  }

  check(client: ClientInfo, action: Action, topic: string): AclStep | Promise<AclStep> {
    const set = this.#of(client);
    const decide = (found: RuleSet): AclStep => verdictOf(found, client, action, topic);
    return set instanceof Promise ? set.then(decide) : decide(set);
  }

  #of(client: ClientInfo): RuleSet | Promise<RuleSet> {
    const before = this.#kept.get(client);
    if (before !== undefined && this.#holds(before, client)) return before.set;
    const set = this.ask(client);
    const entry = this.#entry(client, set);
    this.#kept.set(client, entry);
    const drop = (): void => {
      if (this.#kept.get(client) === entry) this.#kept.delete(client);
    };
    set.then((rules) => {
      if (keepMs(client) > 0) entry.set = rules;
      else drop();
    }, drop);
    return set;
  }

  #entry(client: ClientInfo, set: Kept["set"]): Kept {
    return { set, at: this.host.clock.mono(), epoch: this.host.aclEpoch, generation: client.aclGeneration };
  }

  #holds({ set, at, epoch, generation }: Kept, client: ClientInfo): boolean {
    if (epoch !== this.host.aclEpoch || generation !== client.aclGeneration) return false;
    return set instanceof Promise || between(at, this.host.clock.mono()) < keepMs(client);
  }
}

/** 0 = not at all. */
function keepMs({ zone }: ClientInfo): number {
  return zone.enableAclCache && zone.aclCacheMaxSize > 0 ? Math.min(RULES_MS, zone.aclCacheTtlMs) : 0;
}
