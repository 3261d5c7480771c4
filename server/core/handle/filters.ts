/** What SUBSCRIBE and UNSUBSCRIBE have in common: a packet of many filters. */
import { varIntSize } from "../../mqtt/frame.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { parseSharedFilter, type SharedFilter } from "../../mqtt/topic.ts";
import type { Channel } from "../channel.ts";

/** So many filters are handled in one turn of the event loop: a packet of 1 MB may hold 250,000. */
const SLICE = 500;
/** So many questions about one packet are under way at a time: whoever answers them outside has others to answer as well. */
const UNDER_WAY = 8;

/** Malformed filters end the connection [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1], [MQTT-4.8.2-1], [MQTT-4.8.2-2]. null: it is closed. */
export function parseFilters(ch: Channel, filters: readonly string[]): SharedFilter[] | null {
  const all: SharedFilter[] = [];
  for (const filter of filters) {
    const parsed = parseSharedFilter(filter);
    if (parsed === null) {
      ch.malformed(RC.TOPIC_FILTER_INVALID, "malformed topic filter");
      return null;
    }
    all.push(parsed);
  }
  return all;
}

/** An answer with so many codes must fit [MQTT-3.1.2-24]: better nothing is done than that nobody hears of it. False: it is closed. */
export function checkAnswer(ch: Channel, codes: number): boolean {
  const length = 3 + codes;
  if (ch.version !== 5 || ch.fits(1 + varIntSize(length) + length)) return true;
  ch.close(RC.PACKET_TOO_LARGE, "packet_too_large", `the answer to ${codes} filters is larger than the client takes`);
  return false;
}

/**
 * `slice` for one part of `n` entries after the other, then `end`; a turn of the event loop between the parts, in which others have
 * theirs. When the connection is closed in the meantime, the rest is left.
 */
export function inSlices(
  ch: Channel,
  n: number,
  slice: (from: number, to: number) => void | Promise<void>,
  end: () => void | Promise<void>,
): void | Promise<void> {
  if (n > SLICE) return sliced(ch, n, slice, end);
  const waits = slice(0, n);
  if (waits === undefined) return end();
  return waits.then(() => (ch.ready ? end() : undefined));
}

function sliced(
  ch: Channel,
  n: number,
  slice: (from: number, to: number) => void | Promise<void>,
  end: () => void | Promise<void>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let from = 0;
    const step = (): void => {
      if (!ch.ready) resolve();
      else if (from >= n) then(end, resolve);
      else {
        const to = Math.min(n, from + SLICE);
        then(
          () => slice(from, to),
          () => {
            from = to;
            ch.broker.pieces.add(step);
          },
        );
      }
    };
    const then = (work: () => void | Promise<void>, next: () => void): void => {
      try {
        const waits = work();
        if (waits === undefined) next();
        else waits.then(next, reject);
      } catch (err) {
        reject(err);
      }
    };
    step();
  });
}

/**
 * The answers to `n` questions, in their order. `ask` may answer at once: where all do, so does this. Of promises no more than a few are under way;
 * one that is rejected rejects all.
 */
export function someAtATime<T>(n: number, ask: (i: number) => T | Promise<T>): T[] | Promise<T[]> {
  const answers: T[] = [];
  for (let i = 0; i < n; i++) {
    const answer = ask(i);
    if (answer instanceof Promise) return theOthers(n, ask, answers, answer);
    answers.push(answer);
  }
  return answers;
}

/** Those that are not among `answers`; the first of them is asked already. */
async function theOthers<T>(n: number, ask: (i: number) => T | Promise<T>, answers: T[], first: Promise<T>): Promise<T[]> {
  let next = answers.length;
  const oneAfterTheOther = async (begun: Promise<T> | null): Promise<void> => {
    let asked = begun;
    while (next < n) {
      const i = next++;
      answers[i] = await (asked ?? ask(i));
      asked = null;
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, (_, i) => oneAfterTheOther(i === 0 ? first : null)));
  return answers;
}
