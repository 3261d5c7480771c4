/** What errors of MongoDB and of its driver mean for the settings. */
import type { Advice } from "../_backend/advice.ts";

export const MONGO_ADVICE: readonly Advice[] = [
  { codes: [18], says: "account and password are not taken", see: ["account"] },
  { codes: [13], says: "there it takes an account, or one that may read that", see: ["account", "database", "question"] },
  { codes: [73], says: "there can be no such database or collection", see: ["database", "question"] },
  { codes: [10_107, 13_435, 13_436], says: "it is not the primary", see: ["kind", "server"] },
  { words: /[Dd]river requires at least /, says: "it is too old", see: ["server"] },
  { words: /connection \S+ to \S+ closed|Socket closed after/, says: "it closes the connection", see: ["server", "tls", "certificate"] },
  { words: /Server selection timed out/, says: "none of that kind is there", see: ["server", "kind", "tls"] },
];
