/** The rules of a client, asked for once for all the topics it begins with. */
import type { AclStep, Action, ClientInfo } from "../../core/types.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import type { LookupHost } from "./lookup.ts";
import { type RuleSet, verdictOf } from "./rules.ts";

/** Verdicts are kept by the connection (`acl_cache_ttl`); the rules behind them only as long as a client takes to subscribe, ms. */
const RULES_MS = 5000;

interface Kept {
  set: RuleSet | Promise<RuleSet>;
  readonly at: MonoMs;
  readonly epoch: number;
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
    this.#kept.set(client, { set, at: this.host.clock.mono(), epoch: this.host.aclEpoch });
  }

  check(client: ClientInfo, action: Action, topic: string): AclStep | Promise<AclStep> {
    const set = this.#of(client);
    const decide = (found: RuleSet): AclStep => verdictOf(found, client, action, topic);
    return set instanceof Promise ? set.then(decide) : decide(set);
  }

  #of(client: ClientInfo): RuleSet | Promise<RuleSet> {
    const before = this.#kept.get(client);
    const at = this.host.clock.mono();
    const epoch = this.host.aclEpoch;
    if (before !== undefined && before.epoch === epoch && between(before.at, at) < RULES_MS) return before.set;
    const set = this.ask(client);
    const entry: Kept = { set, at, epoch };
    this.#kept.set(client, entry);
    set.then(
      (rules) => {
        entry.set = rules;
      },
      () => this.#kept.get(client) === entry && this.#kept.delete(client),
    );
    return set;
  }
}
