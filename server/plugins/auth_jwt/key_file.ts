/** A public key in a file, which may have another one while the plugin runs: whoever withdraws a key puts the next one there. */
import { statSync } from "node:fs";
import { wordsOf } from "../../lib/errors.ts";
import { smallFile } from "../../lib/small_file.ts";
import { between } from "../../lib/time.ts";
import type { SourceHost } from "../_auth/source.ts";
import { type KeyRing, oneKey } from "./check.ts";
import { keyVerifiers } from "./token.ts";

const KEY = "auth.jwt.pubkey";
/** The file is looked at so often at most, by who comes in, ms. */
const LOOK_MS = 10_000;

/** What cannot be read, or is no key, leaves the one that there was. @throws Error naming key and file, of what is there at first */
export function keyFile({ clock, log }: Pick<SourceHost, "clock" | "log">, file: string): KeyRing {
  let seen = stampOf(file);
  let ring = keyIn(file);
  /** Why it is not the one that is there; "" = it is. */
  let trouble = "";
  let lookedAt = clock.mono();

  function look(): void {
    // Before it is read: what is written meanwhile is seen the next time.
    const stamp = stampOf(file);
    if (stamp === seen) return;
    try {
      ring = keyIn(file);
      // Only now: whether it may be read changes nothing of the file.
      seen = stamp;
      trouble = "";
      log.notice(`${KEY} has another key`, { file });
    } catch (err) {
      const why = wordsOf(err);
      if (why !== trouble) log.warn(`${KEY} goes on with the key that it had`, { error: why });
      trouble = why;
    }
  }

  return {
    find(alg, kid) {
      const now = clock.mono();
      if (between(lookedAt, now) >= LOOK_MS) {
        lookedAt = now;
        look();
      }
      return ring.find(alg, kid);
    },
  };
}

/** Of the file as it is; "" = it is not there. */
function stampOf(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return "";
  }
}

/** @throws Error naming key and file */
function keyIn(file: string): KeyRing {
  try {
    return oneKey(keyVerifiers(smallFile(file)), KEY);
  } catch (err) {
    throw new Error(`${KEY} = ${file}: ${wordsOf(err)}`);
  }
}
