/** A web service is told of what happens (EMQ X 3.1's web hook). Queue, retries, batches, signatures and CloudEvents are ours. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { systemRandom } from "../../lib/random.ts";
import { Directory } from "../_sink/disk.ts";
import { Sink } from "../_sink/sink.ts";
import { realTimer } from "../_sink/timer.ts";
import { SendError, type SinkHost, type SinkSettings } from "../_sink/types.ts";
import { definePlugin, type PluginContext, type Settings } from "../plugin.ts";
import { webHookKinds } from "./actions.ts";
import { Bodies } from "./bodies.ts";
import { eventBytes, eventCodec, eventIds, type WebHookEvent } from "./event.ts";
import { hang, type Tell } from "./hooks.ts";
import { config, sinkSettings, targetOf, whatOf } from "./keys.ts";
import { type Rules, ruleKey, rulesOf } from "./rules.ts";
import { send, type Target, whyAway } from "./target.ts";
import { bodyOptions, trial } from "./trial.ts";

/** The plugin ends after so long, whatever is still on its way. */
const CLOSE_MS = 3000;
/** While nothing is known of the service, or nobody was there, it is looked for so often. */
const LOOK_MS = 5000;

type Context = PluginContext<typeof config>;

const rulesIn = (ctx: Pick<Settings<typeof config>, "many">): Rules => rulesOf((hook) => ctx.many(ruleKey(hook)).values());

function sinkHost({ clock, log, broker, every, alarm }: Context): SinkHost {
  return {
    clock,
    log,
    outages: new Map(),
    every: (ms, fn) => every(ms, fn),
    alarm: (what, desc) => alarm(what, desc),
    soon: (fn) => broker.soon(fn),
    timer: realTimer,
    random: () => systemRandom.next(),
    get memoryShort() {
      return broker.memoryShort;
    },
    countWaiting: (bytes) => broker.countWaiting(bytes),
    done: (rows) => broker.count("web_hook/sent", rows),
    dropped: (rows) => broker.count("web_hook/dropped", rows),
  };
}

/** `now`: the service as it is set. */
function settingsOf(ctx: Context, target: Target | null): SinkSettings<WebHookEvent> {
  return {
    ...sinkSettings(ctx.config),
    what: target === null ? "web hook" : whatOf(target),
    async send(batch, signal) {
      if (target === null) throw new SendError("away", "nobody is told: web.hook.api.url is empty");
      await send(target, batch, signal, ctx.clock.now());
    },
  };
}

export const webHook = definePlugin({
  name: "emqx_web_hook",
  description: "EMQ X Webhook Plugin",
  version: "v3.1.0",
  activeByDefault: false,
  inPlace: true,
  config,
  liveKeys: { "web.hook.api.url": "string" },
  start(ctx) {
    let target = targetOf(ctx.config, (key) => ctx.many(key), ctx.broker.nodeName);
    const directory = join(ctx.dataDir, "web_hook");
    const sink = new Sink<WebHookEvent>(
      sinkHost(ctx),
      {
        codec: eventCodec,
        shown: ({ body }) => body,
        gaveUp: (events) => ctx.broker.count("web_hook/failed", events.length),
        alarm: "down",
        directory: () => directory,
        hasLeft: () => existsSync(directory),
        closeMs: CLOSE_MS,
      },
      settingsOf(ctx, target),
      (path) => new Directory(path),
    );
    const nextId = eventIds(systemRandom.hex(8));
    const tell: Tell = (hook, key, subject, count, body) => {
      const text = JSON.stringify(body);
      for (let i = 0; i < count; i++) {
        const event = { id: nextId(), hook, subject, at: ctx.clock.now(), body: text };
        sink.push(event, key, eventBytes(event));
      }
    };
    const hooked = (): (() => void) => (target === null ? () => {} : hang(ctx, rulesIn(ctx), new Bodies(bodyOptions(ctx.config)), tell));
    let unhook = hooked();
    ctx.changed(() => {
      target = targetOf(ctx.config, (key) => ctx.many(key), ctx.broker.nodeName);
      unhook();
      sink.change(settingsOf(ctx, target));
      unhook = hooked();
      void look();
    });
    const look = async (): Promise<void> => {
      const looked = target;
      const { state, waiting } = sink.report();
      // What waits finds out by itself, and that somebody listens says nothing of what he answers.
      if (looked === null || waiting > 0 || (state !== "connecting" && state !== "down")) return;
      const err = await whyAway(looked, ctx.config["web.hook.timeout"]);
      if (looked === target) sink.seen(err);
    };
    void look();
    ctx.every(LOOK_MS, () => void look());
    ctx.report(() => ({
      servers: target === null ? [] : [sink.report()],
      deadLetters: sink.deadLetters.count,
      authentication: null,
      acl: null,
    }));
    ctx.closing(() => sink.close());
    ctx.offer(webHookKinds(ctx.broker.nodeName));
    return { deadLetters: sink.deadLetters };
  },
  test: (ctx, request) => trial(ctx, request, () => rulesIn(ctx)),
});
