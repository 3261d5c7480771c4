/**
 * Errors of drivers for people: what is the matter, what the driver says of it, and which settings to look at. Each driver has a table of its own,
 * the first row that fits counts; behind it stands what a network and TLS have to say, which is the same with all.
 */
import { wordsOf } from "../../lib/errors.ts";
import type { BackendOptions, Judgement } from "./options.ts";

/** What settings are about. `kind`: what stands there; `question`: that which was asked; `trust`: who signs certificates of servers. */
type About =
  | "server"
  | "kind"
  | "timeout"
  | "pool"
  | "account"
  | "database"
  | "question"
  | "tls"
  | "trust"
  | "verify"
  | "certificate"
  | "prepare"
  | "sentinel"
  | "sentinelAccount";

/** The keys of one plugin, several with commas between them. What is not there it has no setting for. */
export type SettingKeys = Readonly<Partial<Record<Exclude<About, "question">, string>>> & {
  readonly server: string;
  readonly timeout: string;
};

export interface Advice {
  /** The driver's code, number or name of the error is one of these … */
  readonly codes?: readonly (string | number)[];
  /** … or its message says so. */
  readonly words?: RegExp;
  /** What is the matter. */
  readonly says: string;
  readonly see: readonly About[];
}

/** The keys below `prefix`, as `tlsEntries` and `peerTlsEntries` have them. */
export const tlsKeys = (prefix: string) => ({
  trust: `${prefix}.cacertfile`,
  verify: `${prefix}.verify`,
  certificate: `${prefix}.certfile, ${prefix}.keyfile`,
});

const UNTRUSTED = [
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
  "INVALID_CA",
];

const ANYBODYS: readonly Advice[] = [
  {
    codes: UNTRUSTED,
    words: /self.signed certificate|unable to (?:verify|get) /,
    says: "its certificate is signed by nobody who is trusted",
    see: ["trust"],
  },
  { codes: ["ERR_TLS_CERT_ALTNAME_INVALID"], words: /altnames/, says: "its certificate is for another name", see: ["server", "verify"] },
  {
    codes: ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"],
    words: /certificate has expired/,
    says: "its certificate has run out, or is not yet good",
    see: ["verify"],
  },
  // The runtime's names of TLS's alerts, TLSV1_ALERT_CERTIFICATE_REQUIRED, are one word each.
  {
    words: /\balert\b|_ALERT_(?!PROTOCOL_VERSION)|certificate required/i,
    says: "it does not take our certificate, or there is none",
    see: ["certificate"],
  },
  {
    codes: ["EPROTO"],
    words: /before secure TLS|wrong version number|TLS handshake/i,
    says: "it does not speak TLS there",
    see: ["tls", "server"],
  },
  { codes: ["ECONNREFUSED"], words: /ECONNREFUSED/, says: "nobody listens there", see: ["server"] },
  { codes: ["ENOTFOUND", "EAI_AGAIN"], words: /ENOTFOUND|EAI_AGAIN/, says: "there is no such host", see: ["server"] },
  { codes: ["EHOSTUNREACH", "ENETUNREACH"], words: /E(?:HOST|NET)UNREACH/, says: "there is no way to it", see: ["server"] },
  {
    codes: ["ETIMEDOUT", "TimeoutError"],
    words: /ETIMEDOUT|(?:does not answer|no connection|timed out) (?:within|after)/,
    says: "it does not answer",
    see: ["server", "timeout"],
  },
  {
    codes: ["ECONNRESET", "EPIPE"],
    words: /ECONNRESET|[Cc]onnection (?:is )?closed/,
    says: "it closes the connection",
    // Some servers that want a certificate say no more than this.
    see: ["server", "tls", "certificate"],
  },
];

/** Which question it was whose error this is. */
const questions = new WeakMap<object, string>();

/** `key`: of the setting that says what is asked. */
export function asQuestion<T>(key: string, answer: Promise<T>): Promise<T> {
  return answer.catch((err: unknown) => {
    noteQuestion(key, err);
    throw err;
  });
}

/** This error is about that setting's question. */
export function noteQuestion(key: string, err: unknown): void {
  if (typeof err === "object" && err !== null) questions.set(err, key);
}

interface Driver {
  judge(err: unknown): Judgement;
  table: readonly Advice[];
  keys: SettingKeys;
  /** What it says itself, without secrets. */
  plain?: (err: unknown) => string;
}

/** What of a back end's options its errors are read with. */
export function advised({ judge, table, keys, plain = wordsOf }: Driver): Pick<BackendOptions<unknown>, "judge" | "words" | "late"> {
  const seeing = (err: unknown, see: readonly About[]): string => {
    const of = (about: About): string | undefined => (about === "question" ? questionOf(err) : keys[about]);
    return shown([...new Set(see.flatMap((about) => of(about) ?? []))]);
  };
  return {
    judge,
    late: { unanswered: seeing(null, ["server", "timeout"]), waiting: seeing(null, ["pool", "timeout"]) },
    words(err) {
      const text = plain(err);
      const found = [...table, ...ANYBODYS].find((row) => fits(row, err, text));
      if (found !== undefined) return `${found.says}: ${text}${seeing(err, found.see)}`;
      return judge(err) === "refused" ? `${text}${seeing(err, ["question"])}` : text;
    },
  };
}

const shown = (keys: readonly string[]): string => (keys.length === 0 ? "" : `; see ${keys.join(", ")}`);

function questionOf(err: unknown): string | undefined {
  return typeof err === "object" && err !== null ? questions.get(err) : undefined;
}

function fits({ codes = [], words }: Advice, err: unknown, text: string): boolean {
  const { code, errno, name } = (err ?? {}) as { code?: unknown; errno?: unknown; name?: unknown };
  return [code, errno, name].some((word) => codes.includes(word as string)) || words?.test(text) === true;
}
