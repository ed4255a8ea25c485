-- Calls that outlive their request, until they expire. What they hold is sealed: arguments, answers, results.
CREATE TABLE tasks (
    app          TEXT    NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    key          BLOB    NOT NULL CHECK (length(key) = 16),
    -- Grows with every change, so that of two writers the later one finds out.
    revision     INTEGER NOT NULL CHECK (revision > 0),
    running      INTEGER NOT NULL CHECK (running IN (0, 1)),
    -- Unix milliseconds.
    expires_at   INTEGER NOT NULL,
    sealed_state BLOB    NOT NULL,
    PRIMARY KEY (app, key)
) STRICT;

CREATE INDEX tasks_expires_at ON tasks (expires_at);
