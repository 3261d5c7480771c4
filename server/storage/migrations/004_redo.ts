/** Which redo log belongs to the database, and how much of it the database has. */
export const redo = `
CREATE TABLE redo (id TEXT NOT NULL, applied INTEGER NOT NULL);
INSERT INTO redo (id, applied) VALUES ('', 0);
`;
