/** Prometheus text to a push gateway, as emqx_statsd 3.1 did it. The next interval is the retry; there is never more than one push at a time. */
import { allAsText, emqxAsText } from "../../lib/exposition.ts";
import { withoutSecrets } from "../../lib/mask.ts";
import type { MetricFamily } from "../../lib/metric_family.ts";
import { between } from "../../lib/time.ts";
import { tlsKeys } from "../_backend/advice.ts";
import { Destination, type DestinationHost } from "./destination.ts";
import { PUSHED } from "./names.ts";
import { isTimeout, request, type Target, targetBelow, wordsOfAnswer, wordsOfFailure } from "./request.ts";

export interface PushOptions extends Pick<Target, "tls" | "timeoutMs"> {
  server: URL;
  nodeName: string;
  /** Also what EMQ X had not. */
  all: boolean;
}

const PUSH_KEYS = { server: "statsd.push.gateway.server", timeout: "statsd.timeout", ...tlsKeys("statsd.ssl") };
const TEXT = "text/plain; version=0.0.4; charset=utf-8";
/** A node that stops waits so long for the gateway at most, ms. */
const STOP_MS = 2000;
const TEST_NODE = "baomq@settings-test";

/**
 * `emqx@10.0.0.1` -> `<server>/metrics/job/emqx/instance/emqx~10.0.0.1`, as 3.1: its boards ask for `job="emqx"`. What is sent replaces what was
 * there under the same names.
 */
function groupOf({ server, nodeName, tls, timeoutMs }: Omit<PushOptions, "all">): Target {
  const [name = "", ip] = nodeName.split("@");
  const instance = ip === undefined ? name : `${name}~${ip}`;
  const path = `/metrics/job/${encodeURIComponent(name)}/instance/${encodeURIComponent(instance)}`;
  return targetBelow(server, path, PUSH_KEYS.server, { headers: [], tls, timeoutMs });
}

const pushWhat = (server: URL): string => `Push gateway at ${shown(server)}`;

const shown = ({ origin, pathname }: URL): string => withoutSecrets(`${origin}${pathname.replace(/\/+$/, "")}`);

export class Push {
  readonly destination: Destination;
  readonly #target: Target;
  #last: Promise<void> = Promise.resolve();

  constructor(
    private readonly host: DestinationHost,
    private readonly o: PushOptions,
    private readonly families: () => readonly MetricFamily[],
  ) {
    this.destination = new Destination(host, pushWhat(o.server), "push_down");
    this.#target = groupOf(o);
  }

  /** Never rejects. */
  push(): Promise<void> {
    if (this.destination.running === 0) this.#last = this.#push();
    return this.#last;
  }

  async #push(): Promise<void> {
    const { destination: d } = this;
    const since = this.host.clock.mono();
    d.began();
    try {
      const text = this.o.all ? allAsText(this.families()) : emqxAsText(this.families(), PUSHED);
      const answer = await request(this.#target, "POST", TEXT, text);
      if (answer.status >= 200 && answer.status < 300) d.arrived(between(since, this.host.clock.mono()));
      else d.failed("refused", wordsOfAnswer(answer, PUSH_KEYS));
    } catch (err) {
      d.failed(isTimeout(err) ? "timeouts" : "failed", wordsOfFailure(err, PUSH_KEYS, this.o.timeoutMs));
    }
  }

  /** Take the node's figures away from the gateway. @throws Error in words */
  async remove(): Promise<void> {
    // A push that is under way would bring them back.
    await Promise.race([this.#last, Bun.sleep(STOP_MS)]);
    await removeGroup({ ...this.#target, timeoutMs: Math.min(this.o.timeoutMs, STOP_MS) });
  }
}

async function removeGroup(target: Target): Promise<void> {
  const answer = await request(target, "DELETE", TEXT, null).catch((err: unknown) => {
    throw new Error(wordsOfFailure(err, PUSH_KEYS, target.timeoutMs));
  });
  if (answer.status < 200 || answer.status >= 300) throw new Error(wordsOfAnswer(answer, PUSH_KEYS));
}

/** Does it take what is sent? Under a name of its own, which is taken away again. @throws Error in words */
export async function tryPush({ server, tls, timeoutMs }: Pick<PushOptions, "server" | "tls" | "timeoutMs">): Promise<string> {
  const target = groupOf({ server, nodeName: TEST_NODE, tls, timeoutMs });
  const answer = await request(target, "POST", TEXT, "# TYPE baomq_test gauge\nbaomq_test 1\n").catch((err: unknown) => {
    throw new Error(wordsOfFailure(err, PUSH_KEYS, timeoutMs));
  });
  if (answer.status < 200 || answer.status >= 300) throw new Error(wordsOfAnswer(answer, PUSH_KEYS));
  await removeGroup(target);
  return `${pushWhat(server)} takes what is sent (http ${answer.status})`;
}
