/** Settings of plugins were kept as one JSON object a plugin; now every setting made through the API is a row of its own. */
export const settings = `
INSERT OR REPLACE INTO kv (namespace, key, value)
  SELECT 'settings', j.key, j.value FROM kv, json_each(kv.value) AS j WHERE kv.namespace = 'plugins' AND kv.key LIKE 'config/%';
INSERT OR REPLACE INTO kv (namespace, key, value)
  SELECT 'settings', j.key, j.value FROM kv, json_each(kv.value) AS j WHERE kv.namespace = 'plugins' AND kv.key LIKE 'live/%';
DELETE FROM kv WHERE namespace = 'plugins' AND (key LIKE 'config/%' OR key LIKE 'live/%');
`;
