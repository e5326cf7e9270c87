"""The tables of the write queue beside those of `s3d.standalone.schema`; every column is explained here and nowhere else.

The queue's directory is an embedded store in which each version and each delete marker is a change that is not yet at the
remote. ``operation`` says what is to be done with it.
"""

from __future__ import annotations

from s3d.standalone import schema

_FIRST = f"""
{schema.MIGRATIONS[0]}
CREATE TABLE operation (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,      -- order of acceptance; never used again
    bucket TEXT NOT NULL,                       -- its name
    key BLOB NOT NULL,
    kind TEXT NOT NULL,                         -- put, upload, delete, tag
    state TEXT NOT NULL,                        -- pending, pushing (may be at the remote already), failed, held
    accepted REAL NOT NULL,                     -- seconds since 1970
    version INTEGER,                            -- object.seq or noncurrent.seq of what it pushes; NULL: tag
    size INTEGER NOT NULL,                      -- bytes of the object; 0: delete, tag
    headers TEXT NOT NULL,                      -- JSON, [[name, value], ...]: the client's, as they go to the remote
    tags TEXT,                                  -- of a tag: JSON, {{key: value}}; NULL: none are to be left
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt REAL NOT NULL DEFAULT 0,       -- seconds since 1970; not before that
    error TEXT,                                 -- JSON of the last attempt's error
    superseded INTEGER NOT NULL DEFAULT 0,      -- 1: failed, and a later change replaces all of it
    remote_upload TEXT                          -- of an upload: the remote's UploadId
);
CREATE INDEX operation_key ON operation(bucket, key, seq, kind, superseded);
CREATE INDEX operation_due ON operation(seq, next_attempt, size) WHERE state IN ('pending', 'pushing');
CREATE INDEX operation_state ON operation(state, seq);
CREATE TABLE upload_request (
    upload INTEGER PRIMARY KEY,                 -- upload.id of an upload in progress
    headers TEXT NOT NULL                       -- as operation.headers, of its CreateMultipartUpload
);
CREATE TABLE pushed_part (
    operation INTEGER NOT NULL,                 -- operation.seq
    number INTEGER NOT NULL,                    -- the part's
    etag TEXT NOT NULL,                         -- as the remote gave it
    PRIMARY KEY (operation, number)
) WITHOUT ROWID;
CREATE TABLE known_bucket (
    name TEXT PRIMARY KEY,
    versioning TEXT,                            -- Enabled, Suspended, '' (never enabled); NULL: the remote did not say
    asked REAL NOT NULL                         -- seconds since 1970; 0: taken for granted, the remote was never asked
) WITHOUT ROWID;
CREATE TABLE last_answer (
    name TEXT PRIMARY KEY,                      -- of the operation: ListBuckets
    value TEXT NOT NULL                         -- the document that the remote answered last
) WITHOUT ROWID;
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY,                    -- operation.seq of what is at the remote
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    kind TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT,                                  -- these three as the remote confirmed them
    checksum TEXT,
    version_id TEXT,
    accepted REAL NOT NULL,
    pushed REAL NOT NULL
);
CREATE INDEX ledger_pushed ON ledger(pushed);
CREATE INDEX ledger_key ON ledger(bucket, key, seq);
CREATE TABLE usage (
    bytes INTEGER NOT NULL,                     -- of all bodies
    files INTEGER NOT NULL                      -- operations that have one
);
INSERT INTO usage VALUES (0, 0);
CREATE TRIGGER body_came AFTER INSERT ON body BEGIN UPDATE usage SET bytes = bytes + new.size; END;
CREATE TRIGGER body_went AFTER DELETE ON body BEGIN UPDATE usage SET bytes = bytes - old.size; END;
CREATE TRIGGER operation_came AFTER INSERT ON operation WHEN new.kind IN ('put', 'upload')
    BEGIN UPDATE usage SET files = files + 1; END;
CREATE TRIGGER operation_went AFTER DELETE ON operation WHEN old.kind IN ('put', 'upload')
    BEGIN UPDATE usage SET files = files - 1; END;
"""

_OLDER = "bucket = {row}.bucket AND key = {row}.key AND superseded = 0"
_SECOND = f"""
ALTER TABLE operation ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;  -- 1: an older one of its key has to go first
UPDATE operation SET blocked = 1 WHERE EXISTS (
    SELECT 1 FROM operation AS older WHERE older.bucket = operation.bucket AND older.key = operation.key
    AND older.superseded = 0 AND older.seq < operation.seq);
DROP INDEX operation_due;
CREATE INDEX operation_due ON operation(seq, next_attempt, size)
    WHERE state IN ('pending', 'pushing') AND blocked = 0;
CREATE INDEX operation_later ON operation(next_attempt)
    WHERE state IN ('pending', 'pushing') AND blocked = 0 AND next_attempt > 0;
CREATE INDEX operation_failed ON operation(bucket, key) WHERE state = 'failed' AND superseded = 0;
CREATE TRIGGER operation_blocked AFTER INSERT ON operation
    WHEN EXISTS (SELECT 1 FROM operation WHERE {_OLDER.format(row="new")} AND seq < new.seq)
    BEGIN UPDATE operation SET blocked = 1 WHERE seq = new.seq; END;
CREATE TRIGGER operation_freed AFTER DELETE ON operation BEGIN
    UPDATE operation SET blocked = 0 WHERE blocked = 1
    AND seq = (SELECT min(seq) FROM operation WHERE {_OLDER.format(row="old")});
END;
CREATE TRIGGER operation_superseded AFTER UPDATE OF superseded ON operation WHEN new.superseded = 1 BEGIN
    UPDATE operation SET blocked = 0 WHERE blocked = 1
    AND seq = (SELECT min(seq) FROM operation WHERE {_OLDER.format(row="new")});
END;
CREATE TABLE abandoned_upload (                 -- at the remote, to be aborted there
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    upload_id TEXT NOT NULL,                    -- the remote's
    PRIMARY KEY (bucket, key, upload_id)
) WITHOUT ROWID;
"""

_THIRD = """
ALTER TABLE operation ADD COLUMN priority INTEGER NOT NULL DEFAULT 5;   -- 0 to 9; 9 goes first
ALTER TABLE operation ADD COLUMN due REAL NOT NULL DEFAULT 1e18;        -- seconds since 1970: its deadline; 1e18: none
ALTER TABLE operation ADD COLUMN undecided INTEGER NOT NULL DEFAULT 0;  -- 1: held because something was not known
ALTER TABLE operation ADD COLUMN said TEXT;                             -- JSON: what the policy said; NULL: nothing
DROP INDEX operation_due;
CREATE INDEX operation_due ON operation(priority DESC, due, seq, next_attempt, size)
    WHERE state IN ('pending', 'pushing') AND blocked = 0;
CREATE INDEX operation_held ON operation(bucket, undecided) WHERE state = 'held';
ALTER TABLE known_bucket ADD COLUMN tags TEXT;                          -- JSON, {key: value}; NULL: not known
ALTER TABLE usage ADD COLUMN held_bytes INTEGER NOT NULL DEFAULT 0;     -- of these: what is held
ALTER TABLE usage ADD COLUMN held_files INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN shared INTEGER NOT NULL DEFAULT 0;         -- more bytes, if copies had bodies of their own
UPDATE usage SET shared = (SELECT coalesce(sum((refs - 1) * size), 0) FROM body);
CREATE TRIGGER body_shared AFTER UPDATE OF refs ON body
    BEGIN UPDATE usage SET shared = shared + (new.refs - old.refs) * new.size; END;
CREATE TRIGGER held_came AFTER INSERT ON operation WHEN new.state = 'held'
    BEGIN UPDATE usage SET held_bytes = held_bytes + new.size, held_files = held_files + 1; END;
CREATE TRIGGER held_went AFTER DELETE ON operation WHEN old.state = 'held'
    BEGIN UPDATE usage SET held_bytes = held_bytes - old.size, held_files = held_files - 1; END;
CREATE TRIGGER held_begins AFTER UPDATE OF state ON operation WHEN new.state = 'held' AND old.state <> 'held'
    BEGIN UPDATE usage SET held_bytes = held_bytes + new.size, held_files = held_files + 1; END;
CREATE TRIGGER held_ends AFTER UPDATE OF state ON operation WHEN old.state = 'held' AND new.state <> 'held'
    BEGIN UPDATE usage SET held_bytes = held_bytes - new.size, held_files = held_files - 1; END;
"""

_FOURTH = """
ALTER TABLE operation ADD COLUMN asked TEXT;    -- JSON, [operation, address]: what else the policy was asked; NULL: nothing
"""

MIGRATIONS = (_FIRST, _SECOND, _THIRD, _FOURTH)
"""One script for each version of the tables; a released one never changes."""
