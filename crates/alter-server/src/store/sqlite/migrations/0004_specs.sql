-- What providers' APIs can do, and what programs say about their own steps. See 0001_first.sql for the conventions.

CREATE TABLE provider_specs (
    n            INTEGER PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    app          BLOB    NOT NULL REFERENCES apps (id),
    kind         TEXT    NOT NULL,
    provider     TEXT    NOT NULL,
    title        TEXT,
    spec_version TEXT,
    version      INTEGER NOT NULL,
    source_url   TEXT,
    provenance   TEXT    NOT NULL,
    content_hash TEXT    NOT NULL,
    fetched_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    UNIQUE (app, kind, provider)
) STRICT;

-- `position` is the place in the document; the schemas are JSON.
CREATE TABLE spec_operations (
    spec         BLOB    NOT NULL REFERENCES provider_specs (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    operation_id TEXT    NOT NULL,
    method       TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    summary      TEXT,
    params       TEXT    NOT NULL,
    request      TEXT,
    response     TEXT,
    PRIMARY KEY (spec, position),
    UNIQUE (spec, operation_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE spans (
    n          INTEGER PRIMARY KEY,
    app        BLOB    NOT NULL REFERENCES apps (id),
    trace      TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    parent     TEXT,
    name       TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    attributes TEXT    NOT NULL,
    key        BLOB    NOT NULL,
    agent      BLOB,
    expires_at INTEGER NOT NULL,
    UNIQUE (app, trace, id)
) STRICT;
CREATE INDEX spans_by_expiry ON spans (expires_at);
