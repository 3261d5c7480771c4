/** emqx_auth_http on the core: what is told of several services. */
import { afterAll, expect, test } from "bun:test";
import { authHttp } from "../../../../server/plugins/auth_http/index.ts";
import { until } from "../../../support/until.ts";
import { removeTempDirs, running } from "../harness.ts";

afterAll(removeTempDirs);

test("each service that is down has an alarm of its own, however alike their addresses are", async () => {
  // Nobody listens there.
  const services = { auth_req: "https://127.0.0.1:1/auth", super_req: "http://127.0.0.1:1/super", acl_req: "http://[::1]:1/acl" };
  const settings = Object.fromEntries(Object.entries(services).map(([key, url]) => [`auth.http.${key}`, url]));
  const b = await running(authHttp, { settings });
  const present = (): string[] => b.kit.broker.alarms.present().map((a) => a.id);
  try {
    await until(() => b.manager.report("emqx_auth_http")?.servers.every((s) => s.state === "down") === true, "all are down");
    expect(present().sort()).toEqual([
      "emqx_auth_http_down_http_127.0.0.1_1",
      "emqx_auth_http_down_http__5b_3a_3a1_5d_1",
      "emqx_auth_http_down_https_127.0.0.1_1",
    ]);
    for (const id of present()) expect(id).not.toMatch(/[/+#]/);
  } finally {
    await b.manager.unload("emqx_auth_http");
  }
  expect(present()).toEqual([]);
});
