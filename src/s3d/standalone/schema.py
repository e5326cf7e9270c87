"""The tables of the embedded store; every column is explained here and nowhere else.

    bucket ──< object         the current version of each key that is not deleted: what lists and plain reads see
           ──< noncurrent     all other versions, and delete markers, current ones too
           ──< upload ──< part ──> body
    object, noncurrent ──> body, or through `upload` to the parts of a completed multipart upload

``object`` is the primary key's tree itself (WITHOUT ROWID), so a page of a list is a walk along neighbours, and reading or
writing a key in a bucket without versions touches this one tree; bytes are elsewhere. Keys are BLOBs: SQLite compares
those byte by byte, which is the order of S3. Times are seconds since 1970 (UTC), as exact as S3 shows
them.
"""

from __future__ import annotations

from s3d.local import bodies

_VERSION_COLUMNS = """
    bucket INTEGER NOT NULL,    -- bucket.id
    key BLOB NOT NULL,          -- UTF-8, or whatever bytes the client sent
    seq INTEGER NOT NULL,       -- order of the versions of a key: microseconds since 1970, or the next after the one before
    version TEXT,               -- VersionId; NULL is the version "null", written while versions were not enabled
    modified INTEGER NOT NULL,
    size INTEGER NOT NULL,      -- bytes
    etag TEXT NOT NULL,         -- without its quotes
    body INTEGER,               -- body.id; NULL: no bytes, or several bodies (`upload`)
    upload INTEGER,             -- part.upload of an object that came as a multipart upload, else NULL
    headers TEXT NOT NULL,      -- JSON, [[name, value], ...]: system and user metadata as they go out
    tags TEXT,                  -- JSON, {key: value}; NULL: none
    storage_class TEXT,         -- NULL: STANDARD
    checksum TEXT,              -- ALGORITHM:BASE64, with -N at the end if it is one of checksums
    acl TEXT,                   -- JSON, [grant, ...]; NULL: the owner alone has all rights
"""

_FIRST = f"""
CREATE TABLE bucket (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used again: what still refers to a deleted bucket must not find another
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    location TEXT NOT NULL,                 -- LocationConstraint; '' is us-east-1
    versioning TEXT                         -- Enabled, Suspended, or NULL: never enabled
);
CREATE TABLE bucket_setting (
    bucket INTEGER NOT NULL,                -- bucket.id
    name TEXT NOT NULL,                     -- the query name of the subresource: cors, policy, tagging, ...
    value TEXT NOT NULL,                    -- JSON of the members as the codec parsed them; of a policy its text
    PRIMARY KEY (bucket, name)
) WITHOUT ROWID;
CREATE TABLE object ({_VERSION_COLUMNS}
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE TABLE noncurrent ({_VERSION_COLUMNS}
    marker INTEGER NOT NULL,                -- 1: a delete marker
    PRIMARY KEY (bucket, key, seq DESC)
) WITHOUT ROWID;
CREATE INDEX noncurrent_null ON noncurrent(bucket, key) WHERE version IS NULL;
CREATE TABLE upload (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- stays that of the object's parts after the upload is completed
    upload_id TEXT NOT NULL UNIQUE,         -- UploadId
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    initiated INTEGER NOT NULL,
    headers TEXT NOT NULL,                  -- these four as those of an object
    tags TEXT,
    storage_class TEXT,
    acl TEXT,
    algorithm TEXT,                         -- x-amz-checksum-algorithm as asked for, or NULL
    checksum_type TEXT                      -- COMPOSITE or FULL_OBJECT, as asked for or the algorithm's default
);
CREATE INDEX upload_order ON upload(bucket, key, id);
CREATE TABLE part (
    upload INTEGER NOT NULL,                -- upload.id
    number INTEGER NOT NULL,                -- 1 to 10000
    body INTEGER,                           -- body.id; NULL: no bytes
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,                     -- without its quotes
    checksum TEXT,                          -- ALGORITHM:BASE64
    modified INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
CREATE TABLE completed (
    upload_id TEXT PRIMARY KEY,             -- of an upload that is an object now: completing it again gets the same answer
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    at INTEGER NOT NULL,                    -- removed some days later
    answer TEXT NOT NULL                    -- JSON of the output members
) WITHOUT ROWID;
{bodies.TABLES}
"""

MIGRATIONS = (_FIRST,)
"""One script for each version of the tables; a released one never changes."""
