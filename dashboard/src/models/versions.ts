/** Protocol level -> name of the MQTT version. */
export const VERSIONS: Readonly<Record<number, string>> = { 3: "3.1", 4: "3.1.1", 5: "5.0" };
