/** The first data format. Numbers are Unix times and flags as codec.ts packs them; a `message` is a row of `messages`. */
export const initial = `
CREATE TABLE sessions (
  key INTEGER PRIMARY KEY, client_id TEXT NOT NULL, username TEXT, version INTEGER NOT NULL, zone TEXT NOT NULL, mountpoint TEXT NOT NULL,
  clean_start INTEGER NOT NULL, is_super INTEGER NOT NULL, ip TEXT NOT NULL, created_at INTEGER NOT NULL, expiry INTEGER NOT NULL,
  disconnected_at INTEGER NOT NULL, will TEXT, will_payload BLOB
);
CREATE TABLE subscriptions (
  session INTEGER NOT NULL, filter TEXT NOT NULL, options INTEGER NOT NULL, sub_id INTEGER NOT NULL, PRIMARY KEY (session, filter)
) WITHOUT ROWID;
CREATE TABLE messages (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, flags INTEGER NOT NULL, sender TEXT NOT NULL, username TEXT,
  timestamp INTEGER NOT NULL, expires_at INTEGER NOT NULL, properties TEXT
);
CREATE TABLE deliveries (
  session INTEGER NOT NULL, seq INTEGER NOT NULL, message INTEGER NOT NULL, flags INTEGER NOT NULL, packet_id INTEGER NOT NULL, sub_ids TEXT,
  PRIMARY KEY (session, seq)
) WITHOUT ROWID;
CREATE TABLE awaiting_rel (
  session INTEGER NOT NULL, packet_id INTEGER NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (session, packet_id)
) WITHOUT ROWID;
CREATE TABLE retained (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE, payload BLOB NOT NULL, flags INTEGER NOT NULL, sender TEXT NOT NULL, username TEXT,
  timestamp INTEGER NOT NULL, expires_at INTEGER NOT NULL, properties TEXT
);
CREATE TABLE delayed (
  id INTEGER PRIMARY KEY, due_at INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, flags INTEGER NOT NULL, sender TEXT NOT NULL,
  username TEXT, timestamp INTEGER NOT NULL, expires_at INTEGER NOT NULL, properties TEXT
);
CREATE TABLE banned (
  kind TEXT NOT NULL, who TEXT NOT NULL, reason TEXT, description TEXT, by TEXT, until INTEGER, PRIMARY KEY (kind, who)
) WITHOUT ROWID;
CREATE TABLE apps (
  app_id TEXT PRIMARY KEY, secret TEXT NOT NULL, name TEXT, description TEXT, status INTEGER NOT NULL, expired INTEGER
) WITHOUT ROWID;
CREATE TABLE users (username TEXT PRIMARY KEY, password_hash TEXT NOT NULL, tags TEXT) WITHOUT ROWID;
CREATE TABLE accounts (
  plugin TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, salt TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (plugin, name)
) WITHOUT ROWID;
CREATE TABLE kv (namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (namespace, key)) WITHOUT ROWID;
CREATE TABLE monitor (at INTEGER PRIMARY KEY, points TEXT NOT NULL);
CREATE TABLE alarms (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, description TEXT NOT NULL, raised_at INTEGER NOT NULL, cleared_at INTEGER NOT NULL
);
`;
