/** What SQLSTATEs of PostgreSQL's, numbers of MySQL's and words of the runtime's client mean for the settings. */
import type { Advice } from "../_backend/advice.ts";

export const SQL_ADVICE: readonly Advice[] = [
  { codes: ["28P01", 1045, 1698], says: "account and password are not taken", see: ["account"] },
  { codes: ["28000", 1130], says: "the account is not let in from here", see: ["account", "tls"] },
  { codes: ["3D000", 1049], says: "there is no such database", see: ["database"] },
  { codes: [1044], says: "the account may not use this database", see: ["account", "database"] },
  { codes: ["42P01", 1146], says: "there is no such table", see: ["question", "database"] },
  { codes: ["42703", 1054], says: "there is no such column", see: ["question"] },
  { codes: ["42883", 1305, 1630], says: "there is no such function", see: ["question"] },
  { codes: ["42501", 1142, 1143, 1370], says: "the account may not read that", see: ["question", "account"] },
  { codes: ["ERR_POSTGRES_SYNTAX_ERROR", "ERR_MYSQL_SYNTAX_ERROR", 1064], says: "the query cannot be read", see: ["question"] },
  {
    words: /Incorrect (?:datetime|timestamp) value/i,
    says: "MySQL takes a time without Z (TRIM(TRAILING 'Z' FROM …)), and Unix time by FROM_UNIXTIME(… / 1000)",
    see: ["question"],
  },
  { codes: ["26000", "42P05"], says: "a pooler between gives away prepared statements", see: ["prepare"] },
  { codes: ["25006", 1792], says: "it would change something", see: ["question"] },
  { codes: ["53300", 1040, 1203, 1226], says: "it has no connection left", see: ["pool"] },
  { codes: [1129], says: "it does not let this host in any more", see: ["account"] },
  { codes: ["ERR_POSTGRES_TLS_NOT_AVAILABLE", "ERR_POSTGRES_TLS_UPGRADE_FAILED"], says: "it does not speak TLS", see: ["tls"] },
  { codes: [3159], says: "it wants TLS", see: ["tls"] },
  // The runtime's client says no more of a server without TLS that was to have it.
  { codes: ["ERR_MYSQL_AUTHENTICATION_FAILED"], says: "nobody is logged in, or it does not speak TLS", see: ["account", "tls"] },
  { words: /ERR_POSTGRES_(?:\w*AUTHENTICATION|SASL)/, says: "nobody is logged in", see: ["account"] },
  { codes: ["ERR_MYSQL_UNSUPPORTED_AUTH_PLUGIN"], says: "the account logs in by a way that is not known here", see: ["account"] },
  // Nor does it tell these two apart.
  {
    codes: ["ERR_POSTGRES_CONNECTION_REFUSED", "ERR_MYSQL_CONNECTION_REFUSED"],
    says: "nobody listens there, or there is no such host",
    see: ["server"],
  },
  {
    codes: ["ERR_POSTGRES_CONNECTION_TIMEOUT", "ERR_MYSQL_CONNECTION_TIMEOUT"],
    says: "it does not answer",
    see: ["server", "timeout"],
  },
  {
    codes: [
      "ERR_POSTGRES_CONNECTION_FAILED",
      "ERR_MYSQL_CONNECTION_FAILED",
      "ERR_POSTGRES_CONNECTION_CLOSED",
      "ERR_MYSQL_CONNECTION_CLOSED",
    ],
    says: "it closes the connection",
    see: ["server"],
  },
];
