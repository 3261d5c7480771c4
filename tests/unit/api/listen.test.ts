/** The socket of the command line. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createListen } from "../../../server/api/listen.ts";
import { recordingLog } from "../../support/access.ts";

test("what takes longer than the runtime's ten seconds is answered all the same", async () => {
  const dir = mkdtempSync(join(tmpdir(), "baomq-listen-"));
  const listen = createListen({
    log: recordingLog(),
    answer: async () => {
      await Bun.sleep(13_000);
      return new Response("late");
    },
    tls: () => Promise.reject(new Error("there is none")),
  });
  const unix = join(dir, "ctl.sock");
  listen.startCtl(unix);
  try {
    expect(await (await fetch("http://localhost/", { unix })).text()).toBe("late");
  } finally {
    await listen.stopAll();
    rmSync(dir, { recursive: true, force: true });
  }
});
