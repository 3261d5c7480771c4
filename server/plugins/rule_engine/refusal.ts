/** Why the rule engine does not do what it was asked to: words of EMQ X 3.1, as its API sends them. */
import { wordsOf } from "../../lib/errors.ts";

export class RuleRefusal extends Error {
  override readonly name = "RuleRefusal";
  constructor(
    message: string,
    /** As in the body of the answer. */
    readonly code: 400 | 404 = 400,
  ) {
    super(message);
  }
}

export const badArguments = (why: string): RuleRefusal => new RuleRefusal(`Bad Arguments: ${why}`);
export const noAction = (name: string): RuleRefusal => new RuleRefusal(`Action ${name} Not Found`);
export const noResource = (id: string): RuleRefusal => new RuleRefusal(`Resource ${id} Not Found`);
export const noHook = (hook: string): RuleRefusal => new RuleRefusal(`Hook ${hook} Not Found`);
export const noResourceType = (type: string): RuleRefusal => new RuleRefusal(`Resource Type ${type} Not Found`);
export const notThere = (): RuleRefusal => new RuleRefusal("Not Found", 404);

/** Whatever was thrown, as a refusal. */
export const refusalOf = (err: unknown, where = ""): RuleRefusal =>
  err instanceof RuleRefusal ? err : badArguments(`${where === "" ? "" : `${where}: `}${wordsOf(err)}`);
