-- One counter for everything that a page may want to hear of; it never goes back.
CREATE TABLE counter (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    seq      INTEGER NOT NULL
) STRICT;
INSERT INTO counter (only_row, seq) VALUES (1, 0);

-- What was submitted. Never changes, so that a large inline workload is written once.
-- Times are milliseconds since 1970.
CREATE TABLE job (
    num          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    spec         TEXT    NOT NULL,
    author       TEXT    NOT NULL,
    submitted_at INTEGER NOT NULL,
    deadline_at  INTEGER NOT NULL
) STRICT;

-- What changes with every tick: small rows.
CREATE TABLE job_state (
    job          INTEGER PRIMARY KEY REFERENCES job (num) ON DELETE CASCADE,
    phase        TEXT    NOT NULL,
    reason       TEXT,
    started_at   INTEGER,
    ended_at     INTEGER,
    summary      TEXT    NOT NULL,
    changed_seq  INTEGER NOT NULL,
    -- Frames up to this seq may be gone: a cursor before it has to reload.
    frames_floor INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX job_state_changed ON job_state (changed_seq);
CREATE INDEX job_state_unfinished ON job_state (job) WHERE ended_at IS NULL;

CREATE TABLE control_loop (
    job      INTEGER NOT NULL REFERENCES job (num) ON DELETE CASCADE,
    name     TEXT    NOT NULL,
    place    INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    metric   TEXT    NOT NULL,
    actuator TEXT    NOT NULL,
    memory   TEXT,
    PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;

-- Every revision of every loop; nothing is overwritten.
CREATE TABLE tuning (
    job       INTEGER NOT NULL REFERENCES job (num) ON DELETE CASCADE,
    loop_name TEXT    NOT NULL,
    revision  INTEGER NOT NULL,
    params    TEXT    NOT NULL,
    author    TEXT    NOT NULL,
    tuned_at  INTEGER NOT NULL,
    PRIMARY KEY (job, loop_name, revision)
) STRICT, WITHOUT ROWID;

-- Decisions, tunings, phases and failures, with their reasons.
CREATE TABLE mark (
    job       INTEGER NOT NULL REFERENCES job (num) ON DELETE CASCADE,
    seq       INTEGER NOT NULL,
    place     INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    kind      TEXT    NOT NULL,
    text      TEXT    NOT NULL,
    loop_name TEXT,
    decision  TEXT,
    PRIMARY KEY (job, seq, place)
) STRICT, WITHOUT ROWID;

-- Messages of the live streams, for those who were away a moment.
CREATE TABLE frame (
    seq  INTEGER PRIMARY KEY,
    job  INTEGER NOT NULL REFERENCES job (num) ON DELETE CASCADE,
    at   INTEGER NOT NULL,
    body TEXT    NOT NULL
) STRICT;
CREATE INDEX frame_cursor ON frame (job, seq);
CREATE INDEX frame_age ON frame (at);

-- `job` is NULL when the job was deleted: housekeeping takes the samples away in small bites.
CREATE TABLE series (
    id   INTEGER PRIMARY KEY,
    job  INTEGER,
    name TEXT NOT NULL,
    UNIQUE (job, name)
) STRICT;

-- Tiers. `at` counts seconds, minutes or hours since 1970.
CREATE TABLE sample_second (
    series INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    value  REAL    NOT NULL,
    PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE sample_minute (
    series INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    min    REAL    NOT NULL,
    max    REAL    NOT NULL,
    sum    REAL    NOT NULL,
    n      INTEGER NOT NULL,
    last   REAL    NOT NULL,
    PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE sample_hour (
    series INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    min    REAL    NOT NULL,
    max    REAL    NOT NULL,
    sum    REAL    NOT NULL,
    n      INTEGER NOT NULL,
    last   REAL    NOT NULL,
    PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID;

-- Copies of the worker as the platform knows them; `handle` is what the platform needs to find one again.
CREATE TABLE replica (
    id         TEXT    PRIMARY KEY,
    job        INTEGER NOT NULL REFERENCES job (num) ON DELETE CASCADE,
    addr       TEXT    NOT NULL,
    handle     TEXT,
    state      TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    ended      TEXT,
    items_done INTEGER NOT NULL
) STRICT;
CREATE INDEX replica_of_job ON replica (job, started_at);

-- Only hashes: who reads this file cannot sign in with it.
CREATE TABLE token (
    kind       TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    user       TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (kind, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX token_age ON token (expires_at);
