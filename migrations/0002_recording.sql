-- What every loop was told, line by line, for a replay.
CREATE TABLE recording_line (
    id        INTEGER PRIMARY KEY,
    job       INTEGER NOT NULL REFERENCES job (num) ON DELETE CASCADE,
    loop_name TEXT    NOT NULL,
    line      TEXT    NOT NULL
) STRICT;
CREATE INDEX recording_line_of_loop ON recording_line (job, loop_name, id);

-- The older ones, many in one: lines with their ends, deflated.
CREATE TABLE recording_pack (
    id        INTEGER PRIMARY KEY,
    job       INTEGER NOT NULL REFERENCES job (num) ON DELETE CASCADE,
    loop_name TEXT    NOT NULL,
    lines     INTEGER NOT NULL,
    body      BLOB    NOT NULL
) STRICT;
CREATE INDEX recording_pack_of_loop ON recording_pack (job, loop_name, id);
