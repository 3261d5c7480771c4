/** Versions of TLS by the names the configuration has for them (EMQ X 3.1). */
export const TLS_VERSIONS = ["tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"] as const;
