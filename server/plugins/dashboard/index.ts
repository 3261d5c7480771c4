/** The dashboard and its API on their own port, for people. Stands for the HTTP server, which the program itself provides. */
import { address, flag, ignored, integer, oneOf, optional, secret, text } from "../../lib/config_entry.ts";
import { accessRule, accessRules, plainListener, tlsListener, tlsVersions, trustedProxies } from "../_http/listeners.ts";
import { definePlugin } from "../plugin.ts";

/** 3.1 had no key for it here. */
const SEND_TIMEOUT_MS = 15_000;
const tls = (reason: string) => ignored("", reason, { required: false });
const off = { required: false };

export const dashboard = definePlugin({
  name: "emqx_dashboard",
  description: "EMQ X Web Dashboard",
  version: "v3.1.0",
  required: true,
  activeByDefault: true,
  config: {
    "dashboard.default_user.login": text("admin", "User made at start when there is none of that name."),
    "dashboard.default_user.password": secret("public", "Its password. While it is public, it is accepted from this machine only."),
    "dashboard.trusted_proxies": trustedProxies(),
    "dashboard.listener.http": address("18083", "Where the dashboard listens."),
    "dashboard.listener.http.acceptors": integer(4, "Shown only: one event loop accepts all connections.", { min: 1 }),
    "dashboard.listener.http.max_clients": integer(512, "Most requests at a time.", { min: 1 }),
    "dashboard.listener.http.access.$id": accessRule("Who may connect; the first rule that fits counts, none = everybody."),
    "dashboard.listener.https": optional(address("18084", "Where the dashboard listens with TLS; unset: nowhere.")),
    "dashboard.listener.https.acceptors": integer(8, "Shown only.", { min: 1, ...off }),
    "dashboard.listener.https.max_clients": integer(64, "Most requests at a time.", { min: 1, ...off }),
    "dashboard.listener.https.tls_versions": tlsVersions(),
    "dashboard.listener.https.dhfile": tls("Elliptic curves are used instead."),
    "dashboard.listener.https.keyfile": optional(text("etc/certs/key.pem", "Private key; unset: the generated one.")),
    "dashboard.listener.https.certfile": optional(text("etc/certs/cert.pem", "Certificate; unset: the generated one.")),
    "dashboard.listener.https.cacertfile": optional(text("etc/certs/cacert.pem", "Who may have signed a client's certificate.")),
    "dashboard.listener.https.verify": optional(
      oneOf(["verify_peer", "verify_none"], "verify_peer", "Are clients asked for certificates?"),
    ),
    "dashboard.listener.https.fail_if_no_peer_cert": optional(flag("true", "Are clients without one refused?")),
    "dashboard.listener.https.ciphers": optional(text("ECDHE-ECDSA-AES256-GCM-SHA384", "Ciphers offered, in OpenSSL's form.")),
    "dashboard.listener.https.secure_renegotiate": tls("The runtime never renegotiates."),
    "dashboard.listener.https.reuse_sessions": ignored("on", "The runtime decides.", off),
    "dashboard.listener.https.honor_cipher_order": tls("The runtime decides."),
  },
  async start(ctx) {
    const c = ctx.config;
    const common = {
      sendTimeoutMs: SEND_TIMEOUT_MS,
      access: accessRules(ctx.many("dashboard.listener.http.access.$id")),
      trustedProxies: c["dashboard.trusted_proxies"] ?? [],
    };
    await ctx.host.http.start({
      which: "dashboard",
      listeners: [
        plainListener(c["dashboard.listener.http"], {
          ...common,
          acceptors: c["dashboard.listener.http.acceptors"],
          maxClients: c["dashboard.listener.http.max_clients"],
        }),
        ...tlsListener(
          c["dashboard.listener.https"],
          {
            ...common,
            acceptors: c["dashboard.listener.https.acceptors"],
            maxClients: c["dashboard.listener.https.max_clients"],
          },
          {
            keyfile: c["dashboard.listener.https.keyfile"],
            certfile: c["dashboard.listener.https.certfile"],
            cacertfile: c["dashboard.listener.https.cacertfile"],
            verify: c["dashboard.listener.https.verify"],
            failIfNoPeerCert: c["dashboard.listener.https.fail_if_no_peer_cert"],
            versions: c["dashboard.listener.https.tls_versions"],
            ciphers: c["dashboard.listener.https.ciphers"],
          },
        ),
      ],
      defaultUser: { login: c["dashboard.default_user.login"], password: c["dashboard.default_user.password"] },
    });
    ctx.closing(() => ctx.host.http.stop("dashboard"));
  },
});
