-- Which runs of its app a task's call has started, in their order, so that a call that begins again finds them. Sealed.
CREATE TABLE task_runs (
    app        TEXT    NOT NULL,
    key        BLOB    NOT NULL,
    place      INTEGER NOT NULL CHECK (place >= 0),
    sealed_run BLOB    NOT NULL,
    PRIMARY KEY (app, key, place),
    FOREIGN KEY (app, key) REFERENCES tasks (app, key) ON DELETE CASCADE
) STRICT;

-- A task that does not run has no call: it is over, or its next call starts runs of its own.
CREATE TRIGGER task_rests AFTER UPDATE ON tasks WHEN NEW.running = 0
BEGIN
    DELETE FROM task_runs WHERE app = NEW.app AND key = NEW.key;
END;
