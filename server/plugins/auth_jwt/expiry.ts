/** Connections that end with their token, while `auth.jwt.disconnect_after_expire` is on: it may be switched while the plugin runs. */
import type { ClientInfo } from "../../core/types.ts";
import { Heap, type HeapEntry } from "../../lib/heap.ts";
import type { PluginContext } from "../plugin.ts";

const SWEEP_MS = 500;
/** Clients that are looked at in one turn of the event loop, of all that are there when it is switched on. */
const AT_ONCE = 10_000;
/** Clients that are sent away in one turn, of all whose tokens end together: each has a packet, a will and a session of its own. */
const ENDED_AT_ONCE = 200;

/** Who has to go, and when. */
class Ends {
  readonly #byTime = new Heap<ClientInfo>();
  readonly #entries = new Map<ClientInfo, HeapEntry<ClientInfo>>();

  /** `end`: Unix ms. */
  add(client: ClientInfo, end: number): void {
    if (!this.#entries.has(client)) this.#entries.set(client, this.#byTime.add(end, 0, client));
  }

  delete(client: ClientInfo): void {
    const entry = this.#entries.get(client);
    if (entry !== undefined) this.#byTime.cancel(entry);
    this.#entries.delete(client);
  }

  *take(now: number): Iterable<ClientInfo> {
    for (let e = this.#byTime.take(now); e !== undefined; e = this.#byTime.take(now)) {
      this.#entries.delete(e.value);
      yield e.value;
    }
  }
}

/** `ends`: of whose token it is known when it ends, Unix ms; from before the plugin was loaded, too. */
export function endConnections(ctx: PluginContext, isOn: () => boolean, ends: Pick<WeakMap<ClientInfo, number>, "get">): void {
  /** null = everybody stays. */
  let planned: Ends | null = null;
  let isSweeping = false;

  function plan(client: ClientInfo): void {
    const end = ends.get(client);
    if (end !== undefined) planned?.add(client, end);
  }

  /** Those who are there already. */
  function planAll(mine: Ends, clients: Iterator<ClientInfo>): void {
    for (let n = 0; n < AT_ONCE && mine === planned; n++) {
      const { value, done } = clients.next();
      if (done === true) return;
      plan(value);
    }
    if (mine === planned) ctx.broker.soon(() => planAll(mine, clients));
  }

  function follow(): void {
    if (isOn() === (planned !== null)) return;
    planned = isOn() ? new Ends() : null;
    if (planned !== null) planAll(planned, ctx.broker.clients());
  }

  /** By the wall clock, which is the token's. */
  function sweep(mine: Ends): void {
    isSweeping = false;
    if (mine !== planned) return;
    let n = 0;
    for (const client of mine.take(ctx.clock.now())) {
      ctx.broker.disconnect(client, "token_expired");
      if (++n < ENDED_AT_ONCE) continue;
      isSweeping = true;
      ctx.broker.soon(() => sweep(mine));
      return;
    }
  }

  follow();
  ctx.hook("client.connected", plan);
  ctx.hook("client.disconnected", (client) => planned?.delete(client));
  ctx.every(SWEEP_MS, () => {
    follow();
    if (planned !== null && !isSweeping) sweep(planned);
  });
  ctx.closing(() => {
    planned = null;
  });
}
