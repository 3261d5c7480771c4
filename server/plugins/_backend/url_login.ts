/** What stands in a URL for its log-in becomes a header: whoever shows the URL shows no password. */

export interface WithLogin {
  /** Without it. */
  readonly url: URL;
  /** Basic authentication (RFC 7617); null = none stands in it. */
  readonly authorization: string | null;
}

/** @throws Error naming `key`, that of the URL: what stands there is not percent-encoded as UTF-8 (RFC 3986, 3.2.1) */
export function withoutLogin(given: URL, key: string): WithLogin {
  const url = new URL(given);
  if (url.username === "" && url.password === "") return { url, authorization: null };
  const user = `${plain(url.username, key)}:${plain(url.password, key)}`;
  url.username = "";
  url.password = "";
  return { url, authorization: `Basic ${Buffer.from(user).toString("base64")}` };
}

function plain(part: string, key: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error(`${key}: expected user and password of the URL percent-encoded as UTF-8, "%" itself as %25`);
  }
}
