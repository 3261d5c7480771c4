/** What the directory has answered, for whoever asks why: the entry's name and attributes, of its password's never the value. */
import type { AnsweredField } from "../../core/access/trace.ts";
import type { ClientInfo } from "../../core/types.ts";
import type { Told } from "../_auth/asking.ts";
import { hiddenField, ROWS_SHOWN, ruleField } from "../_auth/shown.ts";
import type { Found } from "./driver.ts";

/** Attribute -> 1 subscribe, 2 publish, 3 both. */
export const TOPICS: Readonly<Record<string, number>> = { mqttPublishTopic: 2, mqttSubscriptionTopic: 1, mqttPubSubTopic: 3 };
export const ENABLED = "isEnabled";

/** `attributes`: that were asked for, as they are spelt in the settings. */
export function entryTold(entry: Found | null, attributes: readonly string[], password: string, client: ClientInfo): Told {
  if (entry === null) return { answer: "no entry" };
  const spelt = new Map(attributes.map((name) => [name.toLowerCase(), name]));
  const fields = [...entry].flatMap(([key, values]): AnsweredField[] => {
    const name = spelt.get(key) ?? key;
    // An attribute may have options behind it: userPassword;x-old.
    const isPassword = key.split(";", 1)[0] === password.toLowerCase();
    return values.map((value) => (isPassword ? hiddenField(name, value) : ruleField(name, value, client)));
  });
  return { answer: "an entry", rows: [fields.slice(0, ROWS_SHOWN)] };
}
