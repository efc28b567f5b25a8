-- What operators forbid, hold or narrow. See 0001_first.sql for the conventions.

CREATE TABLE policies (
    n          INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    app        BLOB    NOT NULL REFERENCES apps (id),
    name       TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by BLOB    NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by BLOB    NOT NULL,
    UNIQUE (app, name)
) STRICT;

-- How many calls a policy has let pass in the window of time that began last; `slot` numbers the windows.
CREATE TABLE call_counts (
    app     BLOB    NOT NULL REFERENCES apps (id),
    counter TEXT    NOT NULL,
    slot    INTEGER NOT NULL,
    used    INTEGER NOT NULL,
    PRIMARY KEY (app, counter)
) STRICT, WITHOUT ROWID;
