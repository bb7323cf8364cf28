-- What a completed job teaches the next one that runs the same program. `template` is a hash of platform and params.
CREATE TABLE experience (
    job      INTEGER PRIMARY KEY REFERENCES job (num) ON DELETE CASCADE,
    template BLOB    NOT NULL,
    items    INTEGER NOT NULL,
    -- Of the natural logarithms of service times in milliseconds.
    log_mean REAL    NOT NULL,
    log_sd   REAL    NOT NULL,
    -- Whether the finish lay in the band that was foretold at half of the items; NULL when nobody foretold it.
    held     INTEGER
) STRICT;
CREATE INDEX experience_of_template ON experience (template, job);
