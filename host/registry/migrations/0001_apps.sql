-- What the registry knows of itself: `key_id`, the id of the master key that sealed its secrets.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Guests that an operator brought, by sha256. A row lives as long as an app uses it.
CREATE TABLE components (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    bytes  BLOB NOT NULL
) STRICT;

CREATE TABLE apps (
    id               TEXT    PRIMARY KEY,
    slug             TEXT    NOT NULL UNIQUE,
    name             TEXT    NOT NULL,
    mode             TEXT    NOT NULL,
    description      TEXT    NOT NULL,
    enabled          INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- Grows whenever the address is replaced.
    credential_epoch INTEGER NOT NULL CHECK (credential_epoch > 0),
    -- A keyed hash of the Dify app key: finds the app of a key without opening every sealed one.
    key_fingerprint  BLOB    NOT NULL UNIQUE CHECK (length(key_fingerprint) = 32),
    sealed_key       BLOB    NOT NULL,
    -- NULL until the app is enabled for the first time; kept while it is disabled.
    sealed_address   BLOB,
    -- NULL: the guest built into Airlock.
    guest            BLOB    REFERENCES components (digest),
    facts            TEXT    NOT NULL,
    manifest         TEXT    NOT NULL,
    described_by     TEXT    NOT NULL,
    overlay          TEXT    NOT NULL,
    settings         TEXT    NOT NULL,
    -- Unix seconds.
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    CHECK (enabled = 0 OR sealed_address IS NOT NULL)
) STRICT;

CREATE INDEX apps_guest ON apps (guest);
