/**
 * An index of the topics cost a page of the file for every message of a topic that was nowhere near the last one. Who retains knows its topics,
 * so the rows are found by their number alone.
 */
export const retained = `
CREATE TABLE retained_rows (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, flags INTEGER NOT NULL, sender TEXT NOT NULL, username TEXT,
  timestamp INTEGER NOT NULL, expires_at INTEGER NOT NULL, properties TEXT
);
INSERT INTO retained_rows (id, topic, payload, flags, sender, username, timestamp, expires_at, properties)
  SELECT id, topic, payload, flags, sender, username, timestamp, expires_at, properties FROM retained;
DROP TABLE retained;
ALTER TABLE retained_rows RENAME TO retained;
`;
