/** All resources: what actions send to, kept by their type and name. */
import { checkParams, secretNames, unmasked } from "./params.ts";
import { badArguments, noResource, noResourceType, refusalOf } from "./refusal.ts";
import { ResourceSlot, type StoredResource } from "./resource_slot.ts";
import type { Rule } from "./rule.ts";
import { nameOf, type RuleSet } from "./rule_set.ts";
import type { ActionSlot, SlotWorld } from "./slots.ts";
import type { BrokenRow, RuleStore } from "./store.ts";

const RESOURCES_MAX = 1000;
const DESCRIPTION_MAX = 4096;

type Given = Readonly<Record<string, unknown>>;

/** A resource that is there, or another one than before. */
export interface Changed {
  readonly slot: ResourceSlot;
  /** It is to be there after a restart. */
  store(): void;
  /** It is as it was; not behind `store`. */
  undo(): Promise<void>;
}

export class ResourceSet {
  readonly #slots = new Map<string, ResourceSlot>();
  /** Rows that cannot be read. */
  readonly broken: Map<string, BrokenRow>;

  constructor(
    private readonly world: SlotWorld,
    private readonly store: RuleStore,
    private readonly rules: () => RuleSet,
  ) {
    for (const stored of store.resources) {
      const slot = new ResourceSlot(stored, world);
      this.#slots.set(stored.id, slot);
      slot.sync();
    }
    this.broken = new Map(store.broken.resources.map((row) => [row.id, row]));
  }

  all(): Iterable<ResourceSlot> {
    return this.#slots.values();
  }

  get(id: string): ResourceSlot | undefined {
    return this.#slots.get(id);
  }

  /** Ids with their types. */
  types(): Map<string, string> {
    return new Map([...this.#slots.values()].map(({ stored }) => [stored.id, stored.type]));
  }

  /** Kinds have come or gone. Actions are closed before the resources that they use. */
  sync(): void {
    const isStale = [...this.#slots.values()].some((slot) => slot.stale);
    const users = isStale ? this.rules().users() : new Map<string, Rule[]>();
    for (const slot of this.#slots.values()) {
      const { id } = slot.stored;
      if (slot.stale) for (const action of slotsIn(users.get(id) ?? [], id)) void action.close();
      slot.sync();
    }
  }

  /** @throws RuleRefusal */
  plan(given: Given): StoredResource {
    const { type, description = "" } = given;
    if (typeof type !== "string" || type === "") throw badArguments("type is missing");
    const kind = this.world.ctx.kinds.resources.get(type);
    if (kind === undefined) throw noResourceType(type);
    const name = nameOf(given.name);
    if (typeof description !== "string" || description.length > DESCRIPTION_MAX)
      throw badArguments(`description must be a text of at most ${DESCRIPTION_MAX} characters`);
    const id = `${type}:${name}`;
    const config = given.config ?? {};
    if (typeof config !== "object" || Array.isArray(config)) throw badArguments("config must be an object");
    try {
      const saved = this.#slots.get(id)?.stored.config ?? null;
      const checked = checkParams(unmasked(config as Given, saved, kind.params), kind.params);
      return { id, name, type, config: checked, description, secrets: secretNames(kind.params) };
    } catch (err) {
      throw refusalOf(err);
    }
  }

  /** One of the same id is replaced, unless actions cannot do with it. @throws RuleRefusal */
  async put(stored: StoredResource): Promise<ResourceSlot> {
    const changed = await this.change(stored);
    changed.store();
    return changed.slot;
  }

  /** As `put`, but what it comes to is neither stored nor certain. @throws RuleRefusal */
  async change(stored: StoredResource): Promise<Changed> {
    const old = this.#slots.get(stored.id);
    if (old === undefined && this.#slots.size >= RESOURCES_MAX) throw badArguments(`there are at most ${RESOURCES_MAX} resources`);
    if (old !== undefined && old.reason === null && JSON.stringify(old.stored.config) === JSON.stringify(stored.config)) {
      // What is open is as it is to be: nobody's connections, and nothing that waits, is touched.
      const { description } = old.stored;
      old.describe(stored.description);
      return { slot: old, store: () => this.store.putResource(old.stored), undo: async () => old.describe(description) };
    }
    const slot = new ResourceSlot(stored, this.world);
    slot.sync();
    if (slot.reason !== null) {
      const why = slot.reason;
      await slot.end();
      throw badArguments(why);
    }
    this.#slots.set(stored.id, slot);
    const why = await this.#reopen(stored.id);
    if (why !== null && old !== undefined) {
      this.#slots.set(stored.id, old);
      await this.#reopen(stored.id);
      await slot.end();
      throw badArguments(why);
    }
    await old?.end();
    const store = (): void => {
      this.broken.delete(stored.id);
      this.store.putResource(stored);
    };
    return { slot, store, undo: () => this.#takeBack(slot, old?.stored ?? null) };
  }

  /** `was`: in its place; null = there was none. */
  async #takeBack(slot: ResourceSlot, was: StoredResource | null): Promise<void> {
    const { id } = slot.stored;
    if (was === null) this.#slots.delete(id);
    else {
      const again = new ResourceSlot(was, this.world);
      again.sync();
      this.#slots.set(id, again);
    }
    await this.#reopen(id);
    await slot.end();
  }

  /** Actions that use it. Returns why one that was open cannot be opened any more; null = all can. */
  async #reopen(id: string): Promise<string | null> {
    const rules = this.rules().using(id);
    const users = rules.flatMap((rule) => rule.slots.filter((slot) => slot.resourceId === id).map((slot) => ({ rule, slot })));
    const worked = users.filter(({ slot }) => slot.reason === null);
    await Promise.all(users.map(({ slot }) => slot.setAside()));
    for (const { slot } of users) slot.resume();
    const broken = worked.find(({ slot }) => slot.reason !== null);
    return broken === undefined ? null : `rule ${broken.rule.stored.name} cannot do with it: ${broken.slot.reason}`;
  }

  /** @throws RuleRefusal */
  async restart(id: string): Promise<void> {
    const slot = this.#slots.get(id);
    if (slot === undefined) throw noResource(id);
    const users = slotsIn(this.rules().using(id), id);
    await Promise.all(users.map((action) => action.setAside()));
    await slot.restart();
    for (const action of users) action.resume();
    if (slot.reason !== null) throw badArguments(`Start Resource ${id} Failed: ${slot.reason}`);
  }

  /** @throws RuleRefusal, in the words of EMQ X 3.1, while a rule uses it */
  async remove(id: string): Promise<void> {
    const [user] = this.rules().using(id);
    const slot = this.#slots.get(id);
    if (user !== undefined && slot !== undefined)
      throw badArguments(`{dependency_exists,{rule_name,<<${JSON.stringify(user.stored.name)}>>}}`);
    this.#slots.delete(id);
    if (slot !== undefined || this.broken.delete(id)) this.store.deleteResource(id);
    await slot?.end();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#slots.values()].map((slot) => slot.end()));
  }
}

/** Actions of these rules that use the resource. */
function slotsIn(rules: readonly Rule[], resource: string): ActionSlot[] {
  return rules.flatMap((rule) => rule.slots.filter((slot) => slot.resourceId === resource));
}
