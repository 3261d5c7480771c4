/** Who a token lets in, and what it says that client may do. */
import { noteOf, sayWhy } from "../../core/access/trace.ts";
import type { AclStep, AuthStep, ClientInfo } from "../../core/types.ts";
import { isOnlyExplained } from "../_auth/asking.ts";
import { type RuleSet, verdictOf } from "../_auth/rules.ts";
import type { Source, SourceHost } from "../_auth/source.ts";
import type { Part } from "../_backend/template.ts";
import { rulesOfClaim } from "./acl.ts";
import { type Checked, checkToken, type JwtRules, type KeyRing, notLooked, oneKey } from "./check.ts";
import { Jwks, type JwksOptions } from "./jwks.ts";
import { keyFile } from "./key_file.ts";
import { headerTold, tokenTold } from "./shown.ts";
import { readToken, secretVerifiers } from "./token.ts";

export interface JwtSettings {
  /** "" = none. */
  secret: string;
  isUserName: boolean;
  /** A file. null = none. */
  pubkey: string | null;
  /** null = none. */
  jwks: JwksOptions | null;
  claims: ReadonlyMap<string, readonly Part[]> | null;
  leewayMs: number;
  /** "" = tokens bring no rules. */
  aclClaim: string;
}

/** What outlives a source. */
export interface TokenNotes {
  /** Of good tokens, by connection, longer than the plugin's life, so that one that is loaded again still knows it. Unix ms at which it ends. */
  readonly ends: WeakMap<ClientInfo, number>;
  readonly rules: WeakMap<ClientInfo, RuleSet>;
  /** By plugin's life: keys from a URL with the settings that came last. */
  readonly jwks: WeakMap<SourceHost, Jwks>;
  /** By plugin's life: that a token never ends has been told. */
  readonly endless: WeakSet<SourceHost>;
}

/** @throws Error naming the key whose value cannot be used, or that there is none */
export function jwtSource(host: SourceHost, o: JwtSettings, notes: TokenNotes): Source {
  if (o.secret === "" && o.pubkey === null && o.jwks === null)
    throw new Error("auth.jwt.secret: there is no key, so that no token could be good; set it, auth.jwt.pubkey or auth.jwt.jwks");
  const file = o.pubkey === null ? null : keyFile(host, o.pubkey);
  const jwks = o.jwks === null ? null : new Jwks(host, o.jwks, notes.jwks.get(host));
  if (jwks === null) notes.jwks.delete(host);
  else notes.jwks.set(host, jwks);
  const rules: JwtRules = {
    secret: o.secret === "" ? null : oneKey(secretVerifiers(o.secret), "auth.jwt.secret"),
    key: ringOf(file, jwks),
    claims: o.claims,
    leeway: o.leewayMs / 1000,
  };

  function decided(client: ClientInfo, text: string, checked: Checked): AuthStep {
    const { step, exp, claims, why } = checked;
    note(client, text, checked);
    sayWhy(client, () => why);
    if (step?.allow !== true || claims === null) return step;
    if (exp !== null) notes.ends.set(client, exp * 1000);
    else if (!isOnlyExplained(client)) tellEndless();
    const found = o.aclClaim === "" || !Object.hasOwn(claims, o.aclClaim) ? null : rulesOfClaim(claims[o.aclClaim]);
    if (found !== null) notes.rules.set(client, found);
    return step;
  }

  /** EMQ X 3.1 asks for none, and neither may whoever signs tokens know of it: once says it. */
  function tellEndless(): void {
    if (notes.endless.has(host)) return;
    notes.endless.add(host);
    host.log.warn("a token without exp is good for ever: whoever gets hold of it comes in until its key is changed; others are not told");
  }

  function note(client: ClientInfo, text: string, checked: Checked): void {
    const token = isOnlyExplained(client) ? readToken(text) : null;
    if (token === null) return;
    const told = tokenTold(rules, client, token, checked, host.clock.now());
    noteOf(client)?.push({
      question: `token in the ${o.isUserName ? "user name" : "password"}`,
      values: headerTold(token),
      ...told,
      ms: 0,
    });
  }

  function authenticate(client: ClientInfo, password: Uint8Array): AuthStep | Promise<AuthStep> {
    const token = o.isUserName ? (client.username ?? "") : Buffer.from(password).toString("utf8");
    const check = (): Checked => checkToken(rules, client, token, host.clock.now());
    const first = check();
    if (!first.unknownKey || jwks === null) return decided(client, token, first);
    return jwks.renewed(isOnlyExplained(client)).then((anew) => decided(client, token, anew ? check() : notLooked(first)));
  }

  function check(client: ClientInfo, action: "publish" | "subscribe", topic: string): AclStep {
    const set = notes.rules.get(client);
    if (set !== undefined) return verdictOf(set, client, action, topic);
    sayWhy(client, () => "the client's token has brought no rules");
    return null;
  }

  return {
    // Beside a token the user name is whatever its holder types: it must not take the token's rules away.
    auth: {
      authenticate,
      secretName: o.isUserName,
      dollarHasRules: true,
      rulesKey: "auth.jwt.acl_claim_name",
      ...(o.aclClaim !== "" && { check }),
    },
    backends: jwks === null ? [] : [jwks.backend],
  };
}

/** The file's key first; then those of the URL, where there may be more of them by now. */
function ringOf(file: KeyRing | null, url: KeyRing | null): KeyRing | null {
  if (file === null || url === null) return file ?? url;
  return {
    find(alg, kid) {
      const { keys, unknown } = url.find(alg, kid);
      return { keys: [...file.find(alg, kid).keys, ...keys], unknown };
    },
  };
}
