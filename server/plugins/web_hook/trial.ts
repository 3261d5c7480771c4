/** The plugin's test: a sample of each hook that a rule is for, sent to the service; what it answers. */
import { Message } from "../../core/message.ts";
import type { ClientInfo } from "../../core/types.ts";
import { wordsOf } from "../../lib/errors.ts";
import { between } from "../../lib/time.ts";
import { SendError } from "../_sink/types.ts";
import type { TestContext, TestRequest, TestStep } from "../plugin.ts";
import { Bodies, type Body } from "./bodies.ts";
import { eventIds, type WebHookEvent } from "./event.ts";
import { type config, targetOf, type Values } from "./keys.ts";
import type { HookName, Rules, WebHookRule } from "./rules.ts";
import { send, type Target } from "./target.ts";

const OPTIONS = { qos: 1, nl: false, rap: false, rh: 0, subId: 0 } as const;

/** A topic that a rule is for. */
function topicFor(rules: readonly WebHookRule[], asked: string | null): string {
  const filter = rules.find(({ topic }) => topic !== null)?.topic ?? null;
  if (filter === null) return asked ?? "baomq/test";
  return filter.replace(/\+/g, "test").replace(/#$/, "test");
}

function sampleOf(hook: HookName, bodies: Bodies, client: ClientInfo, topic: string, now: number): Body {
  const { clientId, username } = client;
  const message = new Message(topic, new TextEncoder().encode("test"), 1, false, clientId, username, now, 0, null);
  const samples: Readonly<Record<HookName, () => Body>> = {
    "client.connected": () => bodies.clientConnected(client, now),
    "client.disconnected": () => bodies.clientDisconnected(client, "normal"),
    "client.subscribe": () => bodies.clientSubscribe(client, topic, OPTIONS),
    "client.unsubscribe": () => bodies.clientUnsubscribe(client, topic),
    "session.created": () => bodies.sessionCreated(clientId, username),
    "session.subscribed": () => bodies.sessionSubscribed(clientId, topic, OPTIONS, true),
    "session.unsubscribed": () => bodies.sessionUnsubscribed(clientId, topic),
    "session.terminated": () => bodies.sessionTerminated(clientId, "normal"),
    "message.publish": () => bodies.messagePublish(message),
    "message.deliver": () => bodies.messageDeliver(clientId, username, message),
    "message.acked": () => bodies.messageAcked(clientId, message),
  };
  return samples[hook]();
}

type Context = TestContext<typeof config>;

/** When nobody is there the other samples are not tried. */
export async function trial(ctx: Context, request: TestRequest, rulesOf: () => Rules): Promise<TestStep[]> {
  const { clock, config: c } = ctx;
  const began = clock.mono();
  const settings = (verdict: TestStep["verdict"], why: string): TestStep => ({
    step: "settings",
    verdict,
    why,
    ms: between(began, clock.mono()),
    asked: [],
  });
  let target: Target | null;
  try {
    target = targetOf(c, (key) => ctx.many(key), "test");
  } catch (err) {
    return [settings("error", wordsOf(err))];
  }
  if (target === null) return [settings("ignore", "web.hook.api.url is empty: nobody is told")];
  const steps = [settings("ok", "the settings can be used")];
  const bodies = new Bodies(bodyOptions(c));
  const nextId = eventIds("test");
  for (const [hook, rules] of rulesOf()) {
    const topic = topicFor(rules, request.topic);
    const body = JSON.stringify(sampleOf(hook, bodies, ctx.client(request), topic, clock.now()));
    const event = { id: nextId(), hook, subject: topic, at: clock.now(), body };
    const { step, isAway } = await tried(ctx, target, event, c["web.hook.timeout"]);
    steps.push(step);
    if (isAway) break;
  }
  return steps;
}

export const bodyOptions = (c: Values) => ({
  encodePayload: c["web.hook.encode_payload"],
  none: c["web.hook.null"] === "null" ? null : ("undefined" as const),
});

async function tried(
  { clock }: Context,
  target: Target,
  event: WebHookEvent,
  timeoutMs: number,
): Promise<{ step: TestStep; isAway: boolean }> {
  const since = clock.mono();
  const stepOf = (verdict: TestStep["verdict"], why: string): TestStep => {
    const ms = between(since, clock.mono());
    const question = `${target.method} ${target.url.origin}${target.url.pathname}`;
    return { step: event.hook, verdict, why, ms, asked: [{ question, values: [event.body], answer: why, ms }] };
  };
  try {
    const batch = { items: [event], tries: 0 };
    const { status } = await send(target, batch, AbortSignal.timeout(timeoutMs), clock.now());
    return { step: stepOf("ok", `http ${status}: taken`), isAway: false };
  } catch (err) {
    return { step: stepOf("error", wordsOf(err)), isAway: err instanceof SendError && err.kind === "away" };
  }
}
