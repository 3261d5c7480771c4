import { tokenParts } from "./token_parts.ts";

/** Shown in place of a secret. Sent back to the node, it leaves the secret as it is. */
export const MASK = "******";

/** Names of what is a secret, in a URL's query, among headers and the like. */
const NAMES_SECRET =
  /pass(?:word|wd|phrase)?$|password|pwd$|secret|token|cookie|authorization|auth$|key$|api[-_.]?key|signature$|credentials?$|bearer$|jwt$|session(?:[-_.]?id)?$/i;
/** Scheme, with the blanks that may stand before it, and what stands before the last "@" of the authority (RFC 3986, 3.2), where a parser takes earlier ones for a part of the password. */
const USER_INFO = /^(\s*[a-z][a-z0-9+.-]*:\/\/)([^/?#]+)@/i;
const QUERY = /^(\s*[a-z][a-z0-9+.-]*:\/\/[^?#]*\?)([^#]*)/i;

/**
 * A URL without the password that stands in it, or without the user where that is all, which may be a key, and without what its query calls a
 * token, a key, a secret or a password; any other text as it is.
 */
export function withoutSecrets(text: string): string {
  return text
    .replace(USER_INFO, (_, scheme: string, info: string) => {
      const user = /^[^:]*:(?=.)/s.exec(info)?.[0] ?? "";
      return `${scheme}${user}${MASK}@`;
    })
    .replace(QUERY, (_, before: string, query: string) => `${before}${withoutSecretFields(query, "&", (value) => value !== "")}`);
}

/** By its name its value is a secret. */
export const namesSecret = (name: string): boolean => NAMES_SECRET.test(name);

/** The same of `name=value` fields; `isSecret`: is it such a value that it would be one? */
export function withoutSecretFields(text: string, separator: string, isSecret: (value: string) => boolean): string {
  const masked = (field: string): string => {
    const at = field.indexOf("=");
    return at >= 0 && namesSecret(field.slice(0, at).trim()) && isSecret(field.slice(at + 1)) ? `${field.slice(0, at)}=${MASK}` : field;
  };
  return text.split(separator).map(masked).join(separator);
}

/** Why a text is refused that has the mask in a secret's place. */
export const MASK_ALONE = `${MASK} stands for what is kept only while nothing else of the value is changed: type the secret again`;
/** Something of a text that is never in one. */
const SENTINEL = "\u0001";

/** Does the mask stand in the place of a secret there? Saved, it would be the secret. `shown`: what is shown of a text. */
export function hasMask(text: string, shown: (text: string) => string): boolean {
  if (!text.includes(MASK)) return false;
  const given = text.replaceAll(MASK, SENTINEL);
  return shown(given).split(SENTINEL).length < given.split(SENTINEL).length;
}

/** What may be a name: a client id has others before it (`built_in:republish_action:`), a topic has levels, a list has more of them. */
const NAME = /[^/:\s]+/g;

/**
 * For the log: a user name, or what has one in it, as a client id (`use_username_as_clientid`) and a topic (below a mountpoint of `%u` or
 * `%c`). A name that is a token (`auth.jwt.from = username`) lets in whoever reads it.
 */
export function loggedName(text: string): string;
export function loggedName(text: string | null | undefined): string | null;
export function loggedName(text: string | null | undefined): string | null {
  return text == null ? null : text.replace(NAME, (name) => (tokenParts(name) !== null ? `${name.slice(0, 8)}… (a token)` : name));
}

/** The same of a topic, or a mountpoint, of somebody with this user name, which need not be a whole level there. */
export function loggedTopic(topic: string, username: string | null): string {
  const shown = loggedName(username);
  return loggedName(username === null || shown === null || shown === username ? topic : topic.replaceAll(username, shown));
}
