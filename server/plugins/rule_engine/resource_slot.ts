/**
 * A resource that actions use, as it is kept: of a kind that some plugin brings, which may be away. Then it is kept all the same, says why it
 * cannot be used, and is opened when the kind is back.
 */
import type { Params, Resource, ResourceHost, ResourceKind } from "../plugin.ts";
import { Opened } from "./opened.ts";
import type { SlotWorld } from "./slots.ts";
import { asUsed, type Users } from "./telling.ts";

/** As it is stored. */
export interface StoredResource {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly description: string;
  /** Names of secrets in `config`. */
  readonly secrets: readonly string[];
}

export class ResourceSlot {
  readonly #opened: Opened<Resource>;
  #kind: ResourceKind | null = null;
  /** It has gone, and is not opened any more. */
  #ended = false;

  #stored: StoredResource;

  constructor(
    stored: StoredResource,
    private readonly world: SlotWorld,
  ) {
    this.#stored = stored;
    this.#opened = new Opened(world, stored.id);
  }

  get stored(): StoredResource {
    return this.#stored;
  }

  /** Another description; what it is stays. */
  describe(description: string): void {
    this.#stored = { ...this.#stored, description };
  }

  get resource(): Resource | null {
    return this.#opened.made;
  }

  /** Why it cannot be used; null = it can. */
  get reason(): string | null {
    return this.#opened.reason;
  }

  get kind(): ResourceKind | null {
    return this.world.ctx.kinds.resources.get(this.stored.type) ?? null;
  }

  /** It is open, and its kind has gone or is another one. */
  get stale(): boolean {
    return this.#opened.made !== null && this.kind !== this.#kind;
  }

  /** Open or close it, as its kind has come or gone. */
  sync(): void {
    const { kind } = this;
    if (this.#ended || (kind !== null && kind === this.#kind && this.#opened.made !== null)) return;
    if (this.#opened.made !== null) void this.close("its plugin does not run");
    this.#kind = kind;
    if (kind === null) this.#opened.reason = `there is no resource type ${this.stored.type} now: the plugin that brings it does not run`;
    else if (this.#opened.closing !== null) void this.#opened.closing.then(() => this.#syncLate());
    else this.#opened.open((host) => kind.open(this.stored.config as Params, this.#host(host)));
  }

  #syncLate(): void {
    this.sync();
    this.world.openedLate(this.stored.id);
  }

  #host(host: ResourceHost): ResourceHost {
    const users = (): Users => this.world.users(this.stored.id);
    return { ...host, alarm: (what, desc) => host.alarm(what, desc && asUsed(desc, users)) };
  }

  close(reason: string): Promise<void> {
    return this.#opened.close(reason);
  }

  async restart(): Promise<void> {
    await this.close("it is opened again");
    this.sync();
  }

  end(): Promise<void> {
    this.#ended = true;
    return this.close("deleted");
  }
}
