"""The tables of the read cache; every column is explained here and nowhere else."""

from __future__ import annotations

_FIRST = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL,               -- its name
    key BLOB NOT NULL,
    etag TEXT NOT NULL,                 -- as in the header, with its quotes
    size INTEGER NOT NULL,              -- bytes of the object
    headers TEXT NOT NULL,              -- JSON, [[name, value], ...]: the remote's, without those of one answer
    whole INTEGER NOT NULL,             -- 1: the headers are those of the whole object, with its checksums
    confirmed REAL NOT NULL,            -- seconds since 1970: when the remote had this version
    ask INTEGER NOT NULL,               -- 1: ask before it is used, however lately it was confirmed; 2: also for tags
    stored INTEGER NOT NULL,            -- bytes that are here
    file TEXT,                          -- name of the file with the blocks; NULL: there is none, or the bytes are in `data`
    data BLOB,                          -- of an object of one block
    crc INTEGER,                        -- CRC-32C of `data`
    queue INTEGER NOT NULL DEFAULT 0,   -- of the order of removal: 0 came lately, 1 was used again, 2 is pinned
    position INTEGER NOT NULL           -- in its queue: the lowest goes first
);
CREATE UNIQUE INDEX entry_key ON entry(bucket, key);
CREATE INDEX entry_order ON entry(queue, position, stored);
CREATE INDEX entry_file ON entry(file) WHERE file IS NOT NULL;
CREATE TABLE block (
    entry INTEGER NOT NULL,             -- entry.id
    number INTEGER NOT NULL,            -- of the block in the file
    crc INTEGER NOT NULL,               -- CRC-32C
    PRIMARY KEY (entry, number)
) WITHOUT ROWID;
CREATE TABLE distrust (
    bucket TEXT PRIMARY KEY,
    until REAL NOT NULL                 -- seconds since 1970: what was confirmed up to then is to be confirmed again
) WITHOUT ROWID;
"""

_PINS = """
CREATE TABLE pin (
    bucket TEXT NOT NULL,
    prefix BLOB NOT NULL,               -- of keys; or, of a pin of one object, its key
    kind TEXT NOT NULL,                 -- by what: command, bucket (its tag), object (its tag), policy (one object)
    PRIMARY KEY (bucket, prefix, kind)
) WITHOUT ROWID;
CREATE INDEX entry_confirmed ON entry(confirmed);
"""

MIGRATIONS = (_FIRST, _PINS)
"""One script for each version of the tables; a released one never changes."""
