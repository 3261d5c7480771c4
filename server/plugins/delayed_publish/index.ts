/** Messages published to `$delayed/<n>/<topic>` are kept on disk and go out when their time has come. EMQ X 3.1. */
import { Message } from "../../core/message.ts";
import type { AclStep } from "../../core/types.ts";
import { integer } from "../../lib/config_entry.ts";
import { loggedName, loggedTopic } from "../../lib/mask.ts";
import { later, NO_MONO } from "../../lib/time.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { type DelayedService, definePlugin, ownCopy } from "../plugin.ts";
import { DelayQueue } from "./queue.ts";
import { PREFIX, parseDelayed } from "./topic.ts";

/** Before all other publish hooks: the message is theirs when it goes out, not now. */
const PRIORITY = 100;
const LOOK_MS = 100;
/** Sent at one look; after a long stop thousands may be overdue. */
const BURST = 1000;
const WARN_EVERY_MS = 60_000;

const REFUSED: AclStep = { verdict: "deny", why: "not a delayed topic" };
const HIDDEN: AclStep = { verdict: "deny", why: "the topic behind the delay is denied" };

export const delayedPublish = definePlugin({
  name: "emqx_delayed_publish",
  description: "EMQ X Delayed Publish",
  version: "v3.1.0",
  activeByDefault: false,
  config: {
    "delayed_publish.max_delayed_messages": integer(0, "Most messages that may wait; further ones are refused. 0 = no limit.", {
      required: false,
    }),
  },
  start(ctx): DelayedService {
    const { broker, clock } = ctx;
    const stored = ctx.store.delayed;
    const queue = new DelayQueue();
    let lastId = 0;
    let warnedAt = Number.NEGATIVE_INFINITY;
    for (const { id, dueAt, message: r } of stored.load()) {
      lastId = Math.max(lastId, id);
      const message = new Message(r.topic, r.payload, r.qos, r.retain, r.from, r.username, r.timestamp, r.expiresAt, r.properties);
      // What kind it was is not kept: after a restart what is left of the time runs on the monotonic clock. Never more than it was at
      // first: the wall clock may have been set back.
      const left = Math.min(dueAt - clock.now(), dueAt - r.timestamp);
      queue.addDelay({ id, dueAt, message }, later(clock.mono(), left));
    }

    function send(id: number, message: Message): void {
      stored.delete(id);
      broker.count("delayed/published");
      // The time it takes to expire (MQTT 5) begins when it is published.
      const now = clock.now();
      if (message.expiresAt > 0) {
        message.expiresAt += now - message.timestamp;
        message.deadline = NO_MONO;
      }
      message.timestamp = now;
      broker.publish(message);
    }

    const whyNot = (): string | null => {
      if (full()) return "as many as delayed_publish.max_delayed_messages allows";
      if (broker.storageFull) return "it cannot be stored";
      return broker.memoryShort ? "the node has no memory to spare" : null;
    };

    function refused(m: Message, why: string): null {
      broker.count("delayed/refused");
      const now = clock.mono();
      if (now - warnedAt >= WARN_EVERY_MS) {
        warnedAt = now;
        ctx.log.warn("delayed message refused", { topic: loggedTopic(m.topic, m.username), from: loggedName(m.from), why });
      }
      return null;
    }

    function sendDue(): void {
      // What was acknowledged before is not to be lost: sent now, it could not be stored for those who are away.
      if (broker.storageFull) return;
      const now = clock.now();
      const mono = clock.mono();
      for (let n = 0; n < BURST; n++) {
        const row = queue.take(now, mono);
        if (row === undefined) return;
        send(row.id, row.message);
      }
    }

    function full(): boolean {
      const max = ctx.config["delayed_publish.max_delayed_messages"];
      return max > 0 && queue.size >= max;
    }

    ctx.hook(
      "message.publish",
      (m) => {
        const delayed = parseDelayed(m.topic, clock.now());
        if (typeof delayed === "string") {
          m.refusedWith = RC.TOPIC_NAME_INVALID;
          return refused(m, delayed);
        }
        const why = whyNot();
        if (why !== null) {
          // Whether there is room is told here, not by the access rules: their verdict is remembered for a while.
          m.refusedWith = RC.QUOTA_EXCEEDED;
          return refused(m, why);
        }
        const row = { id: ++lastId, dueAt: delayed.dueAt, message: ownCopy(m, { topic: delayed.topic }) };
        // By the same look at the wall clock as `dueAt`: the difference is how long it waits.
        if (row.message.expiresAt === 0) row.message.timestamp = clock.now();
        stored.put(row);
        if (delayed.byTime) queue.addTime(row);
        else queue.addDelay(row, later(clock.mono(), delayed.dueAt - clock.now()));
        broker.count("delayed/received");
        return null;
      },
      { priority: PRIORITY, prefix: PREFIX },
    );

    // Without this, `$delayed/0/secret` would be a way around the rules for `secret`; and a bad topic is refused where the client hears of it.
    ctx.hook(
      "client.check_acl",
      (client, action, topic) => {
        if (action !== "publish" || !topic.startsWith(PREFIX)) return null;
        const delayed = parseDelayed(topic, clock.now());
        if (typeof delayed === "string") return REFUSED;
        const verdict = broker.checkAcl(client, "publish", delayed.topic);
        if (typeof verdict === "string") return verdict === "deny" ? HIDDEN : null;
        return verdict.then((v) => (v === "deny" ? HIDDEN : null));
      },
      { priority: PRIORITY },
    );

    // What is overdue after a restart goes out with the first look, when the other plugins run: one of them keeps retained messages.
    ctx.every(LOOK_MS, sendDue);
    ctx.closing(broker.countWaiting(() => queue.bytes));

    return {
      get count() {
        return queue.size;
      },
      get held() {
        return queue.held;
      },
      list: () => queue.rows(),
      cancel(id) {
        if (!queue.cancel(id)) return false;
        stored.delete(id);
        return true;
      },
      sendNow(id) {
        const row = queue.get(id);
        if (!row || !queue.cancel(id)) return false;
        send(id, row.message);
        return true;
      },
    };
  },
});
