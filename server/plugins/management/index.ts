/** The management API on its own port, for applications. Stands for the HTTP server, which the program itself provides. */
import { address, duration, flag, ignored, inert, integer, oneOf, optional, secret, text } from "../../lib/config_entry.ts";
import { backlog, plainListener, tlsListener, tlsVersions, trustedProxies } from "../_http/listeners.ts";
import { definePlugin } from "../plugin.ts";

/** Without effect; 3.1 had the key in its schema, not in its file. */
const tuning = () => ignored("", "Socket buffers are the system's affair.", { required: false });
const off = { required: false };

export const management = definePlugin({
  name: "emqx_management",
  description: "EMQ X Management API and CLI",
  version: "v3.1.0",
  required: true,
  activeByDefault: true,
  config: {
    "management.max_row_limit": integer(10_000, "Rows on a page when the request does not say.", { min: 1 }),
    "management.trusted_proxies": trustedProxies(),
    "management.listener.http": address("8080", "Where the management API listens."),
    "management.listener.http.acceptors": integer(2, "Shown only: one event loop accepts all connections.", { min: 1 }),
    "management.listener.http.max_clients": integer(512, "Most requests at a time.", { min: 1 }),
    "management.listener.http.backlog": backlog(512),
    "management.listener.http.send_timeout": duration(
      "15s",
      "A client that does not read its answer for so long is cut off (a few seconds later; at most 255s), and so is one that asks nothing more.",
    ),
    "management.listener.http.send_timeout_close": inert(flag("on", "Is it?"), "a timed-out connection is always closed."),
    "management.application.default_secret": optional(
      secret("public", "Secret of applications created without one; unset: a random one each."),
    ),
    "management.default_application.id": optional(text("admin", "Application made at start when it does not exist.")),
    "management.default_application.secret": optional(
      secret("public", "Its secret; unset: management.application.default_secret, or a random one that the log does not show."),
    ),
    "management.listener.http.recbuf": tuning(),
    "management.listener.http.sndbuf": tuning(),
    "management.listener.http.buffer": tuning(),
    "management.listener.http.tune_buffer": tuning(),
    "management.listener.http.nodelay": tuning(),
    "management.listener.https": optional(address("8081", "Where the management API listens with TLS; unset: nowhere.")),
    "management.listener.https.acceptors": integer(8, "Shown only.", { min: 1, ...off }),
    "management.listener.https.max_clients": integer(64, "Most requests at a time.", { min: 1, ...off }),
    "management.listener.https.backlog": backlog(1024, off),
    "management.listener.https.send_timeout": duration("15s", "As for http.", off),
    "management.listener.https.send_timeout_close": inert(flag("on", "As for http.", off), "a timed-out connection is always closed."),
    "management.listener.https.recbuf": tuning(),
    "management.listener.https.sndbuf": tuning(),
    "management.listener.https.buffer": tuning(),
    "management.listener.https.tune_buffer": tuning(),
    "management.listener.https.nodelay": tuning(),
    "management.listener.https.keyfile": optional(text("etc/certs/key.pem", "Private key; unset: the generated one.")),
    "management.listener.https.certfile": optional(text("etc/certs/cert.pem", "Certificate; unset: the generated one.")),
    "management.listener.https.cacertfile": optional(text("etc/certs/cacert.pem", "Who may have signed a client's certificate.")),
    "management.listener.https.verify": optional(
      oneOf(["verify_peer", "verify_none"], "verify_peer", "Are clients asked for certificates?"),
    ),
    "management.listener.https.fail_if_no_peer_cert": optional(flag("true", "Are clients without one refused?")),
    "management.listener.https.tls_versions": tlsVersions(),
    "management.listener.https.ciphers": optional(text("ECDHE-ECDSA-AES256-GCM-SHA384", "Ciphers offered, in OpenSSL's form.")),
  },
  async start(ctx) {
    const c = ctx.config;
    const id = c["management.default_application.id"];
    const trusted = c["management.trusted_proxies"] ?? [];
    const defaultSecret = c["management.application.default_secret"] ?? "";
    await ctx.host.http.start({
      which: "management",
      listeners: [
        plainListener(c["management.listener.http"], {
          acceptors: c["management.listener.http.acceptors"],
          maxClients: c["management.listener.http.max_clients"],
          sendTimeoutMs: c["management.listener.http.send_timeout"],
          access: [],
          trustedProxies: trusted,
        }),
        ...tlsListener(
          c["management.listener.https"],
          {
            acceptors: c["management.listener.https.acceptors"],
            maxClients: c["management.listener.https.max_clients"],
            sendTimeoutMs: c["management.listener.https.send_timeout"],
            access: [],
            trustedProxies: trusted,
          },
          {
            keyfile: c["management.listener.https.keyfile"],
            certfile: c["management.listener.https.certfile"],
            cacertfile: c["management.listener.https.cacertfile"],
            verify: c["management.listener.https.verify"],
            failIfNoPeerCert: c["management.listener.https.fail_if_no_peer_cert"],
            versions: c["management.listener.https.tls_versions"],
            ciphers: c["management.listener.https.ciphers"],
          },
        ),
      ],
      maxRowLimit: c["management.max_row_limit"],
      defaultSecret,
      defaultApplication: id === null ? null : { id, secret: c["management.default_application.secret"] ?? defaultSecret },
    });
    ctx.closing(() => ctx.host.http.stop("management"));
  },
});
