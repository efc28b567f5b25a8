-- Bounds of keys, how often they are used, and agents in full. See 0002_people.sql for the conventions.

-- `networks`, `rate` and `metadata` are JSON, as the model serializes. Until now only the vault's operators revoked keys, and nobody noted when.
ALTER TABLE api_keys ADD COLUMN parent UUID REFERENCES api_keys (id);
ALTER TABLE api_keys ADD COLUMN networks TEXT;
ALTER TABLE api_keys ADD COLUMN rate TEXT NOT NULL DEFAULT '{}';
ALTER TABLE api_keys ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
ALTER TABLE api_keys ADD COLUMN deprecated_at BIGINT;
ALTER TABLE api_keys ADD COLUMN works_until BIGINT;
ALTER TABLE api_keys ADD COLUMN revoked_at BIGINT;
CREATE INDEX api_keys_by_parent ON api_keys (parent) WHERE parent IS NOT NULL;

-- Requests of the minute that each count is in (minutes since 1970). Written all the time: room beside the rows, so that they stay where they are.
CREATE TABLE rate_counts (
    key    UUID   PRIMARY KEY,
    minute BIGINT NOT NULL,
    used   BIGINT NOT NULL
) WITH (fillfactor = 50);

-- An agent of before may use whatever is granted to it, as it could.
ALTER TABLE agents ADD COLUMN display_name TEXT;
ALTER TABLE agents ADD COLUMN kind TEXT NOT NULL DEFAULT 'agent';
ALTER TABLE agents ADD COLUMN scopes TEXT NOT NULL DEFAULT '{"*":["*"]}';
ALTER TABLE agents ADD COLUMN staged_scopes TEXT;
ALTER TABLE agents ADD COLUMN staged_at BIGINT;
ALTER TABLE agents ADD COLUMN policy TEXT NOT NULL DEFAULT '{}';
ALTER TABLE agents ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
ALTER TABLE agents ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE agents ADD COLUMN asked_key BYTEA CHECK (octet_length(asked_key) = 32);
ALTER TABLE agents ADD COLUMN asked_request BYTEA CHECK (octet_length(asked_request) = 32);
CREATE UNIQUE INDEX agents_by_asked_key ON agents (asked_key) WHERE asked_key IS NOT NULL;
