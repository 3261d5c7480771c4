/** Hooks that do what plugins should not: throw, and change the world in the middle of what the broker is doing. */
import { Message } from "../../server/core/message.ts";
import type { StepOf } from "./steps.ts";
import type { World } from "./world.ts";

export class Chaos {
  #off: (() => void)[] = [];
  #n = 0;
  /** Sessions that something was done to in this event. */
  readonly #disturbed = new Set<string>();
  #busy = false;

  constructor(private readonly world: World) {}

  /** Once, at the `nth` call from now on. */
  plant(step: StepOf<"hook">): void {
    const { world } = this;
    let left = step.nth;
    const off = world.managed.hook(
      step.point,
      `chaos ${this.#n++}`,
      () => {
        if (this.#busy || --left !== 0) return;
        this.#busy = true;
        try {
          this.#act(step);
        } finally {
          this.#busy = false;
        }
      },
      0,
      null,
    );
    this.#off.push(off);
  }

  #act(step: StepOf<"hook">): void {
    const { world } = this;
    const { broker, model } = world;
    const id = world.clients[step.c]?.id ?? "";
    if (step.act === "throw") {
      world.log.allowed.add("simulated: a hook throws");
      throw new Error("simulated: a hook throws");
    }
    if (step.act === "pub") {
      const m = model.message({ from: "", topic: step.t.replace(/[+#]/g, "a"), qos: 1, retain: false, size: 20, kind: "api" });
      m.inHook = true;
      model.published.push(m.n);
      broker.publish(new Message(m.topic, m.payload, 1, false, "", null, world.clock.now(), 0, null));
      return;
    }
    this.disturb(id);
    if (step.act === "kick") broker.kick(id);
    else if (step.act === "drop") broker.dropSession(id);
    else if (step.act === "unsub") broker.unsubscribe(id, step.t);
    else broker.subscribe(id, step.t, { qos: 1, nl: false, rap: false, rh: 2, subId: 0 });
  }

  /** What this session gets in this event cannot be foretold; its connection may be closed. */
  disturb(id: string): void {
    this.#disturbed.add(id);
    this.world.model.disturbedEv = this.world.model.ev;
    for (const c of this.world.conns) {
      if (c.client.id !== id || c.phase === "closed") continue;
      c.mayClose ||= "a hook interfered";
      c.doubtful = true;
    }
    const s = this.world.model.session(id);
    if (s !== undefined) {
      s.disturbed = true;
      s.disturbedIn.add(this.world.model.ev);
      for (const d of s.waiting) {
        if (d.must && d.ev === this.world.model.ev) d.must = false;
      }
    }
  }

  /** The event is over: take over what has become of them. */
  settle(): void {
    if (this.#disturbed.size === 0) return;
    for (const id of this.#disturbed) {
      this.world.resync(id);
      for (const c of this.world.conns) {
        if (c.client.id !== id) continue;
        c.doubtful = false;
        if (!c.transport.closed && c.mayClose === "a hook interfered" && c.channel.phase !== "closed") c.mayClose = "";
      }
    }
    this.#disturbed.clear();
  }

  /** Take the hooks back. */
  stop(): void {
    for (const off of this.#off.splice(0)) off();
  }

  /** The broker they hung on is gone. */
  forget(): void {
    this.#off = [];
    this.#disturbed.clear();
  }
}
