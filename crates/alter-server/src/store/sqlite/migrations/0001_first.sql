-- Times are milliseconds since 1970 in UTC, ids are UUIDs as 16 bytes, `n` orders a table by age.

CREATE TABLE master_keys (
    version     INTEGER PRIMARY KEY,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 16),
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE root_keys (
    name           TEXT    PRIMARY KEY,
    master_version INTEGER NOT NULL REFERENCES master_keys (version),
    wrapped        BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE apps (
    n          INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE operators (
    n          INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    digest     BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    prefix     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE UNIQUE INDEX operators_by_name ON operators (name) WHERE revoked_at IS NULL;

CREATE TABLE api_keys (
    n            INTEGER PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    app          BLOB    NOT NULL REFERENCES apps (id),
    kind         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    digest       BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    prefix       TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER
) STRICT;
CREATE INDEX api_keys_by_app ON api_keys (app, n);

-- A data key seals the fields of one version of one credential. Deleting it deletes them, and what is left of them cannot be opened.
CREATE TABLE data_keys (
    id             BLOB    PRIMARY KEY CHECK (length(id) = 16),
    master_version INTEGER NOT NULL REFERENCES master_keys (version),
    wrapped        BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX data_keys_by_master ON data_keys (master_version);

CREATE TABLE sealed_fields (
    data_key BLOB NOT NULL REFERENCES data_keys (id) ON DELETE CASCADE,
    field    TEXT NOT NULL,
    sealed   BLOB NOT NULL,
    PRIMARY KEY (data_key, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    n             INTEGER PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    app           BLOB    NOT NULL REFERENCES apps (id),
    slug          TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    version       INTEGER NOT NULL,
    allowed_hosts TEXT    NOT NULL,
    injection     TEXT    NOT NULL,
    parameters    TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    data_key      BLOB    REFERENCES data_keys (id),
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CHECK ((status = 'active') = (data_key IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX secrets_by_slug ON secrets (app, slug) WHERE status = 'active';
CREATE INDEX secrets_by_app ON secrets (app, n);
-- For the foreign key: deleting a data key must not search the table.
CREATE UNIQUE INDEX secrets_by_data_key ON secrets (data_key) WHERE data_key IS NOT NULL;

CREATE TABLE grants (
    n              INTEGER PRIMARY KEY,
    id             BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    app            BLOB    NOT NULL REFERENCES apps (id),
    secret         BLOB    NOT NULL REFERENCES secrets (id),
    principal_kind TEXT    NOT NULL,
    principal_id   TEXT,
    label          TEXT,
    parent         BLOB    REFERENCES grants (id),
    status         TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    revoked_at     INTEGER,
    last_used_at   INTEGER,
    scope_mismatch TEXT
) STRICT;
CREATE INDEX grants_by_app ON grants (app, n);
CREATE INDEX grants_by_principal ON grants (secret, principal_kind, principal_id, status, n);

CREATE TABLE actors (
    id            BLOB    PRIMARY KEY CHECK (length(id) = 16),
    app           BLOB    NOT NULL REFERENCES apps (id),
    caller_type   TEXT    NOT NULL,
    caller        TEXT    NOT NULL,
    first_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `digest` is a hash over the key's id and the nonce: short and of one length, whatever a client sends.
CREATE TABLE nonces (
    digest     BLOB    PRIMARY KEY CHECK (length(digest) = 16),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_expiry ON nonces (expires_at);

CREATE TABLE counters (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('nonces', 0);

-- One row a chain: its head. Whoever appends holds it (here by being the one writer).
CREATE TABLE audit_chains (
    n        INTEGER PRIMARY KEY,
    id       BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    sequence INTEGER NOT NULL,
    mac      BLOB    NOT NULL CHECK (length(mac) = 32),
    head_mac BLOB    NOT NULL CHECK (length(head_mac) = 32)
) STRICT;

CREATE TABLE audit_rows (
    n           INTEGER PRIMARY KEY,
    chain       INTEGER NOT NULL REFERENCES audit_chains (n),
    sequence    INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    code        TEXT,
    key         BLOB,
    operator    BLOB,
    caller      TEXT,
    caller_type TEXT,
    actor       BLOB,
    grant_id    BLOB,
    provider    TEXT,
    subject     TEXT,
    reason      TEXT,
    context     TEXT,
    method      TEXT,
    url         TEXT,
    detail      TEXT,
    request_id  TEXT,
    report      TEXT,
    refers_to   INTEGER,
    mac         BLOB    NOT NULL CHECK (length(mac) = 32),
    UNIQUE (chain, sequence)
) STRICT;
CREATE INDEX audit_rows_by_reference ON audit_rows (chain, refers_to) WHERE refers_to IS NOT NULL;

-- A guard against mistakes; against intent there are the MACs.
CREATE TRIGGER audit_rows_stay BEFORE DELETE ON audit_rows BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END;
CREATE TRIGGER audit_rows_keep BEFORE UPDATE ON audit_rows BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END;
