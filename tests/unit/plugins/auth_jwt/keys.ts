/** Keys that sign tokens, and a URL where their public halves are. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
export const pair = () => generateKeyPairSync("ed25519");
export const jwk = (key: KeyObject, more: object = {}): object => ({ ...key.export({ format: "jwk" }), ...more });

export function signed(key: KeyObject, header: object = {}, claims: object = {}): string {
  const body = `${b64({ alg: "EdDSA", ...header })}.${b64(claims)}`;
  return `${body}.${sign(null, Buffer.from(body), key).toString("base64url")}`;
}

/** A URL with keys. */
export function keys() {
  const state = { body: "", status: 200, requests: 0, hangs: false, gate: null as PromiseWithResolvers<void> | null };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch() {
      state.requests++;
      if (state.hangs) return new Promise<Response>(() => {});
      await state.gate?.promise;
      return new Response(state.body, { status: state.status });
    },
  });
  return {
    state,
    server,
    url: `http://127.0.0.1:${server.port}/jwks.json`,
    set: (...list: unknown[]) => (state.body = JSON.stringify({ keys: list })),
  };
}
