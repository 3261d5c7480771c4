/** Time passes in ticks, as in the program; and what has to have happened by then. */
import { violate } from "./violation.ts";
import type { World } from "./world.ts";

export function pass(w: World, ms: number, tick: number): void {
  const { broker, core } = w;
  w.endTurn();
  const ticks = Math.ceil(ms / tick);
  for (let i = 0; i < ticks; i++) {
    w.clock.pass(tick);
    allowTimeouts(w);
    w.event(() => {
      broker.tick();
      core.sys.tick();
      if (w.clock.monotonic % 1000 < tick) core.sweep();
      broker.flush();
    });
    due(w, tick);
    w.endTurn();
  }
}

/** Who has been silent for too long may be closed from now on. */
function allowTimeouts(w: World): void {
  const now = w.clock.monotonic;
  for (const c of w.conns) {
    if (c.phase === "closed" || c.gone) continue;
    // Who is not read from cannot be heard.
    if (c.transport.paused) c.deafAt = now;
    const late = c.phase === "connected" ? c.keepaliveMs > 0 && now >= c.lastRecv + c.keepaliveMs : now >= c.opened + w.zone.idleTimeoutMs;
    if (late && c.mayClose === "") c.mayClose = "silent";
  }
}

/** What has to have happened by now. */
function due(w: World, tick: number): void {
  const { model } = w;
  const now = w.clock.monotonic;
  const slack = 1000 + tick;
  for (const c of w.conns) {
    if (c.phase === "closed" || c.gone || c.transport.closed || c.silent || c.transport.gone) continue;
    if (c.phase === "connected" && c.keepaliveMs > 0 && now > Math.max(c.lastRecv, c.connectedAt, c.deafAt) + c.keepaliveMs + slack)
      violate("keepalive_late", `${c.name} is silent for ${now - c.lastRecv} ms, allowed are ${c.keepaliveMs}`);
    if (c.phase !== "connected" && now > c.opened + w.zone.idleTimeoutMs + slack)
      violate("idle_late", `${c.name} has been open for ${now - c.opened} ms without CONNECT`);
  }
  for (const s of [...model.sessions.values()]) {
    if (s.will !== null && !s.will.loose && now >= s.will.due)
      violate("will_late", `will ${s.will.n} of ${s.id} was due ${now - s.will.due} ms ago`);
    if (now >= s.endsAt) {
      if (w.broker.sessions.has(s.id)) {
        violate("session_late", `session ${s.id} was to end ${now - s.endsAt} ms ago`);
        continue;
      }
      model.end(s);
    }
  }
}
