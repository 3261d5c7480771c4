/** A broker whose administrator has chosen a password, and the browser before its dashboard. */
import { expect } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { PluginConfigRow } from "../../server/admin/rows.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { Rest } from "../support/rest.ts";
import { PASSWORD, Surfer } from "./dashboard_browser.ts";

interface Beginning {
  /** Of the broker. */
  set?: Record<string, string>;
  /** Text by path in its directory: what is there before it starts. */
  files?: Record<string, string>;
  /** Those that are loaded besides, in this order. */
  plugins?: readonly string[];
}

export class DashboardKit {
  #baomq: Installation | null = null;
  #broker: RunningBroker | null = null;
  #surfer: Surfer | null = null;
  readonly rest = new Rest(() => this.broker);

  async start({ set = {}, files = {}, plugins = [] }: Beginning = {}): Promise<void> {
    this.#baomq = new Installation();
    for (const [name, text] of Object.entries(files)) {
      const path = this.path(name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    this.#broker = await this.#baomq.start({ set });
    await this.rest.api("PUT", "change_pwd/admin", { old_pwd: "public", new_pwd: PASSWORD });
    this.rest.password = PASSWORD;
    for (const name of plugins) await this.rest.api("PUT", `plugins/${name}/load`);
    this.#surfer = await Surfer.open(this.broker.ports.dashboard);
  }

  /** The broker has ended well, and no page has told of a problem. */
  async stop(): Promise<void> {
    await this.#surfer?.close();
    const ended = await this.#broker?.stop();
    await this.#baomq?.remove();
    expect([ended, this.#surfer?.problems]).toEqual([0, []]);
  }

  get broker(): RunningBroker {
    if (this.#broker === null) throw new Error("start first");
    return this.#broker;
  }

  get surfer(): Surfer {
    if (this.#surfer === null) throw new Error("start first");
    return this.#surfer;
  }

  /** `name`: within the broker's directory. */
  path(name: string): string {
    return join(this.#baomq?.dir ?? "", name);
  }

  /** What the API says of a plugin's setting. */
  async setting(plugin: string, key: string): Promise<PluginConfigRow | undefined> {
    const rows = await this.rest.api<PluginConfigRow[]>("GET", `nodes/emqx@127.0.0.1/plugin_configs/${plugin}`);
    return rows.find((r) => r.key === key);
  }
}
