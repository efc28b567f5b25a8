-- Bounds of keys, how often they are used, and agents in full. See 0001_first.sql for the conventions.

-- `networks`, `rate` and `metadata` are JSON, as the model serializes. Until now only the vault's operators revoked keys, and nobody noted when.
ALTER TABLE api_keys ADD COLUMN parent BLOB REFERENCES api_keys (id);
ALTER TABLE api_keys ADD COLUMN networks TEXT;
ALTER TABLE api_keys ADD COLUMN rate TEXT NOT NULL DEFAULT '{}';
ALTER TABLE api_keys ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
ALTER TABLE api_keys ADD COLUMN deprecated_at INTEGER;
ALTER TABLE api_keys ADD COLUMN works_until INTEGER;
ALTER TABLE api_keys ADD COLUMN revoked_at INTEGER;
CREATE INDEX api_keys_by_parent ON api_keys (parent) WHERE parent IS NOT NULL;

-- Requests of the minute that each count is in (minutes since 1970).
CREATE TABLE rate_counts (
    key    BLOB    PRIMARY KEY CHECK (length(key) = 16),
    minute INTEGER NOT NULL,
    used   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An agent of before may use whatever is granted to it, as it could.
ALTER TABLE agents ADD COLUMN display_name TEXT;
ALTER TABLE agents ADD COLUMN kind TEXT NOT NULL DEFAULT 'agent';
ALTER TABLE agents ADD COLUMN scopes TEXT NOT NULL DEFAULT '{"*":["*"]}';
ALTER TABLE agents ADD COLUMN staged_scopes TEXT;
ALTER TABLE agents ADD COLUMN staged_at INTEGER;
ALTER TABLE agents ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';
ALTER TABLE agents ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
ALTER TABLE agents ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE agents ADD COLUMN asked_key BLOB CHECK (length(asked_key) = 32);
ALTER TABLE agents ADD COLUMN asked_request BLOB CHECK (length(asked_request) = 32);
CREATE UNIQUE INDEX agents_by_asked_key ON agents (asked_key) WHERE asked_key IS NOT NULL;
