-- Calls that wait for people. See 0001_first.sql for the conventions.

-- `gates` and `about` are JSON; what is sealed is the request, and later the provider's answer.
CREATE TABLE approvals (
    n           INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    app         BLOB    NOT NULL REFERENCES apps (id),
    grant_id    BLOB    NOT NULL REFERENCES grants (id),
    key         BLOB    NOT NULL,
    agent       BLOB,
    status      TEXT    NOT NULL,
    gates       TEXT    NOT NULL,
    about       TEXT    NOT NULL,
    digest      BLOB    NOT NULL CHECK (length(digest) = 32),
    version     INTEGER NOT NULL,
    data_key    BLOB    REFERENCES data_keys (id),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    decided_at  INTEGER,
    left_at     INTEGER,
    executed_at INTEGER,
    notify_at   INTEGER
) STRICT;
CREATE INDEX approvals_by_app ON approvals (app, n);
CREATE INDEX approvals_by_grant ON approvals (grant_id);
CREATE INDEX approvals_by_expiry ON approvals (expires_at);
CREATE INDEX approvals_open ON approvals (app) WHERE status IN ('pending', 'approved', 'executing');
CREATE UNIQUE INDEX approvals_by_data_key ON approvals (data_key) WHERE data_key IS NOT NULL;

-- Links and clients name an approval by one of its gates.
CREATE TABLE approval_gates (
    id       BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    approval BLOB NOT NULL REFERENCES approvals (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX approval_gates_by_approval ON approval_gates (approval);

-- What happened lately is looked at by time.
CREATE INDEX audit_rows_by_time ON audit_rows (at);
