/** Watches configuration files and certificates and takes changes over. (In EMQ X 3.1 it reloaded changed code, for its developers.) */
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { duration, text } from "../../lib/config_entry.ts";
import { wordsOf } from "../../lib/errors.ts";
import { definePlugin, type Reloaded, type ReloaderService } from "../plugin.ts";

export const reloader = definePlugin({
  name: "emqx_reloader",
  description: "EMQ X Reloader Plugin",
  version: "v3.1.0",
  activeByDefault: false,
  config: {
    "reloader.interval": duration("60s", "How often the files are looked at; 0 = only when asked to."),
    "reloader.logfile": text("reloader.log", "File in the data directory that lists what was reloaded when; empty = none."),
  },
  start(ctx): ReloaderService {
    const logfile = ctx.config["reloader.logfile"];
    const path = resolve(ctx.dataDir, logfile);
    const inside = relative(ctx.dataDir, path);
    // The key can be set through the API, which must not write anywhere else.
    if (inside.startsWith("..") || isAbsolute(inside)) throw new Error("reloader.logfile: expected a file in the data directory");

    function note(what: string[]): void {
      ctx.log.info("reloaded", { what: what.join("; ") });
      if (logfile === "") return;
      mkdirSync(dirname(path), { recursive: true });
      const time = new Date(ctx.clock.now()).toISOString();
      appendFileSync(path, what.map((line) => `${time} ${line}\n`).join(""));
    }

    async function reload(isAsked: boolean): Promise<Reloaded> {
      const came = await ctx.host.reload(isAsked);
      if (came.done.length > 0) note(came.done);
      return came;
    }

    const interval = ctx.config["reloader.interval"];
    if (interval > 0) {
      ctx.every(interval, () => {
        reload(false).catch((err: unknown) => ctx.log.error("reload failed", { error: wordsOf(err) }));
      });
    }
    return { reloadNow: () => reload(true) };
  },
});
