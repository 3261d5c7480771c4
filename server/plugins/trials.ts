/** Settings that nobody saved are tried: a few tests at a time, since each has connections of its own. */
import type { Clock } from "../core/ports.ts";
import { WorkQueue } from "../lib/work_queue.ts";
import type { AnyPlugin, TestContext, TestRequest, TestStep } from "./plugin.ts";
import { PluginError, type PluginSettings } from "./settings.ts";

const [AT_ONCE, WAITING_MAX] = [4, 32];

export class Trials {
  readonly #queue = new WorkQueue(AT_ONCE, WAITING_MAX);

  constructor(private readonly clock: Clock) {}

  /** `settings`: as they are; `texts`: what is to be different, where the mask stands for the secret as it is. @throws PluginError, QueueFull */
  async run(
    plugin: AnyPlugin,
    settings: PluginSettings,
    texts: Readonly<Record<string, unknown>>,
    request: TestRequest,
    client: TestContext["client"],
  ): Promise<TestStep[]> {
    const test = plugin.test?.bind(plugin);
    if (test === undefined) throw new PluginError("refused", `${plugin.name} asks nobody: there is nothing to test`);
    const trial = settings.trial(texts);
    const isSaved = (key: string): boolean => trial.isSame(key, settings);
    const ctx = { config: trial.values(), many: (key: string) => trial.many(key) as never, isSaved, clock: this.clock, client };
    return this.#queue.run(() => test(ctx, request));
  }
}
