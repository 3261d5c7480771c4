/** Which tests belong to which part of the program, the quickest first; what share of its mutants they have to notice. */
export interface Area {
  /** Below server/. */
  readonly folder: string;
  /** Sets of test files (globs below tests/), each run only if the sets before it noticed nothing. */
  readonly stages: readonly (readonly string[])[];
  /** Per cent; null = no promise. */
  readonly target: number | null;
}

const UNIT_CORE = "unit/core/**/*.test.ts";
const CONFORMANCE = "conformance/*.test.ts";
const PLUGINS = "unit/plugins/**/*.test.ts";
const SIM = "sim/*.test.ts";
/** Without the thousands of bad inputs, which look for crashes. */
const API = "api/!(abuse).test.ts";

export const AREAS: readonly Area[] = [
  { folder: "core", stages: [[UNIT_CORE, CONFORMANCE], [SIM], [PLUGINS, "unit/admin/*.test.ts"], [API]], target: 85 },
  { folder: "mqtt", stages: [["unit/mqtt/*.test.ts"], [CONFORMANCE, UNIT_CORE, "fuzz/smoke.test.ts"]], target: 85 },
  { folder: "storage", stages: [["unit/storage/*.test.ts"], [PLUGINS], [API]], target: 85 },
  { folder: "api", stages: [["unit/api/*.test.ts"], [API], ["api/abuse.test.ts"]], target: 75 },
  { folder: "admin", stages: [["unit/admin/*.test.ts"], [API]], target: 75 },
  { folder: "lib", stages: [["unit/lib/*.test.ts"], ["unit/config/*.test.ts", UNIT_CORE, "unit/api/*.test.ts"], [API]], target: null },
  { folder: "config", stages: [["unit/config/*.test.ts"], [UNIT_CORE, CONFORMANCE, PLUGINS], [API]], target: null },
  { folder: "plugins", stages: [[PLUGINS], [API]], target: null },
  { folder: "listeners", stages: [["unit/listeners/*.test.ts"]], target: null },
  { folder: "machine", stages: [["unit/machine/*.test.ts"], [API]], target: null },
  { folder: "cli", stages: [["unit/cli/*.test.ts"], ["api/ctl.test.ts"]], target: null },
];

export const areaOf = (file: string): Area | undefined => AREAS.find((a) => file.startsWith(`server/${a.folder}/`));
