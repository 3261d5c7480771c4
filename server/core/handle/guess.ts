/** Credentials are looked at in turn, and what comes of it counts (`access/guesses.ts`): those of CONNECT, and those of AUTH. */
import { seldom } from "../../lib/seldom.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import type { Channel } from "../channel.ts";
import type { AuthResult, ClientInfo } from "../types.ts";
import { refuse } from "./refuse.ts";

/** `check`: a look at credentials, as soon as of others' no more are under way than may fail, or not at all. `bytes`: that wait with it. */
export function inTurn(ch: Channel, client: ClientInfo, bytes: number, check: () => void | Promise<void>): void | Promise<void> {
  const { broker } = ch;
  const admitted = broker.guesses.admit(client, (ms) => new Promise((done) => void broker.after(ms, done)), bytes);
  return admitted instanceof Promise ? admitted.then((yes) => enter(ch, client, yes, check)) : enter(ch, client, admitted, check);
}

/** The credentials may be looked at, or not any more. */
function enter(ch: Channel, client: ClientInfo, admitted: boolean, check: () => void | Promise<void>): void | Promise<void> {
  const { guesses } = ch.broker;
  if (ch.phase === "closed") return guesses.settled(client);
  if (!admitted) {
    const no = { code: RC.CONNECTION_RATE_EXCEEDED, why: "too many authentications that failed, or are under way" };
    if (ch.ready) ch.close(no.code, "reauthentication_failed", no.why);
    else refuse(ch, no);
    return;
  }
  let isUnderWay = false;
  try {
    const looked = check();
    isUnderWay = looked instanceof Promise;
    return looked;
  } finally {
    // Where nobody was asked, too.
    if (!isUnderWay) guesses.settled(client);
  }
}

/** What comes of a check that begins now. While it takes time it has a place among those whose outcome is not known yet. */
export function judged<A>(
  ch: Channel,
  client: ClientInfo,
  answer: A | Promise<A>,
  decide: (answer: A) => void | Promise<void>,
): void | Promise<void> {
  const { guesses } = ch.broker;
  const decided = (a: A): void | Promise<void> => {
    try {
      return decide(a);
    } finally {
      // Behind the count of what came of it: whoever waits for an outcome is to hear this one.
      guesses.settled(client);
    }
  };
  if (!(answer instanceof Promise)) return decided(answer);
  guesses.pending(client);
  return answer.then(decided, (err: unknown) => {
    guesses.settled(client);
    throw err;
  });
}

/** A wrong password counts, a back end that is down does not. */
export function countGuess(ch: Channel, client: ClientInfo, answer: AuthResult): void {
  if (answer.allow) ch.broker.guesses.passed(client);
  else if (answer.code !== RC.SERVER_UNAVAILABLE && answer.code !== RC.SERVER_BUSY) ch.broker.guesses.failed(client);
}

seldom(inTurn, enter, judged, countGuess);
