/** The broker, restarted on every change, beside Vite's development server for the dashboard. Arguments go to `baomq start`. */
import { existsSync } from "node:fs";

const stdio = ["inherit", "inherit", "inherit"] as const;
const running = [
  Bun.spawn([process.execPath, "--watch", "--no-clear-screen", "server/main.ts", "start", ...process.argv.slice(2)], { stdio: [...stdio] }),
];
if (existsSync("dashboard/index.html"))
  running.push(Bun.spawn([process.execPath, "node_modules/vite/bin/vite.js", "dashboard"], { stdio: [...stdio] }));

const stop = () => {
  for (const p of running) p.kill("SIGTERM");
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
const code = await Promise.race(running.map((p) => p.exited));
stop();
await Promise.all(running.map((p) => p.exited));
process.exit(code);
