-- People and grants: logins, delegation, identity providers, sessions. See 0001_first.sql for the conventions.

ALTER TABLE apps ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

CREATE TABLE agents (
    n          INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    app        BLOB    NOT NULL REFERENCES apps (id),
    name       TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX agents_by_name ON agents (app, name) WHERE status <> 'deleted';
CREATE INDEX agents_by_app ON agents (app, n);

ALTER TABLE api_keys ADD COLUMN agent BLOB REFERENCES agents (id);
CREATE INDEX api_keys_by_agent ON api_keys (agent) WHERE agent IS NOT NULL;

-- `data_key` is NULL exactly when the values are erased. `fence`, `lease_until` and `unanswered` are the refresh lease.
CREATE TABLE credentials (
    n                 INTEGER PRIMARY KEY,
    id                BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    app               BLOB    NOT NULL REFERENCES apps (id),
    kind              TEXT    NOT NULL,
    provider          TEXT    NOT NULL,
    secret            BLOB    REFERENCES secrets (id),
    owner             TEXT    NOT NULL,
    label             TEXT,
    account           TEXT,
    account_name      TEXT,
    scopes            TEXT    NOT NULL,
    generation        INTEGER NOT NULL,
    access_expires_at INTEGER,
    refreshable       INTEGER NOT NULL,
    state             TEXT    NOT NULL,
    dead_cause        TEXT,
    fence             INTEGER NOT NULL,
    lease_until       INTEGER,
    unanswered        INTEGER NOT NULL,
    data_key          BLOB    REFERENCES data_keys (id),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    CHECK ((state = 'erased') = (data_key IS NULL)),
    CHECK ((kind = 'oauth') = (secret IS NULL))
) STRICT;
CREATE INDEX credentials_by_secret ON credentials (secret, n) WHERE secret IS NOT NULL;
CREATE INDEX credentials_by_owner ON credentials (app, provider, owner, n);
CREATE UNIQUE INDEX credentials_by_data_key ON credentials (data_key) WHERE data_key IS NOT NULL;

-- SQLite cannot loosen a column, so the table is written anew. Principals are JSON, as `Principal` serializes.
CREATE TABLE grants_2 (
    n                INTEGER PRIMARY KEY,
    id               BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    app              BLOB    NOT NULL REFERENCES apps (id),
    secret           BLOB    REFERENCES secrets (id),
    credential       BLOB    REFERENCES credentials (id),
    principal        TEXT    NOT NULL,
    on_behalf_of     TEXT    NOT NULL,
    label            TEXT,
    tags             TEXT    NOT NULL,
    policy           TEXT    NOT NULL,
    parent           BLOB    REFERENCES grants_2 (id),
    depth            INTEGER NOT NULL,
    delegable        INTEGER NOT NULL,
    scope_constraint TEXT,
    status           TEXT    NOT NULL,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER,
    revoked_at       INTEGER,
    last_used_at     INTEGER,
    scope_mismatch   TEXT,
    CHECK (secret IS NOT NULL OR credential IS NOT NULL),
    CHECK ((parent IS NULL) = (depth = 0))
) STRICT;
INSERT INTO grants_2 (n, id, app, secret, principal, on_behalf_of, label, tags, policy, depth, delegable, status, created_at, expires_at, revoked_at,
    last_used_at, scope_mismatch)
SELECT n, id, app, secret, principal, principal, label, '[]', '{}', 0, 0, status, created_at, expires_at, revoked_at, last_used_at, scope_mismatch
FROM (SELECT *, CASE principal_kind
    WHEN 'system' THEN '{"type":"system"}'
    -- No issuer was known then: it is nobody's until an operator makes it anew.
    ELSE '{"type":"user","issuer":"","subject":' || json_quote(principal_id) || '}' END AS principal FROM grants);
DROP TABLE grants;
ALTER TABLE grants_2 RENAME TO grants;
CREATE INDEX grants_by_app ON grants (app, n);
CREATE INDEX grants_by_principal ON grants (app, principal, n);
CREATE INDEX grants_by_on_behalf_of ON grants (app, on_behalf_of, n);
CREATE INDEX grants_by_secret ON grants (secret, principal, status, n) WHERE secret IS NOT NULL;
CREATE INDEX grants_by_credential ON grants (credential, n) WHERE credential IS NOT NULL;
CREATE INDEX grants_by_parent ON grants (parent, n) WHERE parent IS NOT NULL;

CREATE TABLE tickets (
    n          INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    kind       TEXT    NOT NULL,
    app        BLOB    NOT NULL REFERENCES apps (id),
    digest     BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    parent     BLOB,
    state      TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    data_key   BLOB    REFERENCES data_keys (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tickets_by_expiry ON tickets (expires_at);
CREATE UNIQUE INDEX tickets_by_data_key ON tickets (data_key) WHERE data_key IS NOT NULL;

CREATE TABLE registrations (
    n          INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    app        BLOB    NOT NULL REFERENCES apps (id),
    kind       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    data_key   BLOB    REFERENCES data_keys (id),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (app, kind, name)
) STRICT;
CREATE UNIQUE INDEX registrations_by_data_key ON registrations (data_key) WHERE data_key IS NOT NULL;

-- For the Wallet and for whoever looks after one grant: what used it.
CREATE INDEX audit_rows_by_grant ON audit_rows (grant_id, n) WHERE grant_id IS NOT NULL;
