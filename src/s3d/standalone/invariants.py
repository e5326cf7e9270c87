"""What holds between the rows of the embedded store, and what is said where it does not.

Each rule is a query that finds what breaks it: bucket, key and version (or upload) of the culprit, and what fills the
gaps of the sentence.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from s3d.local.database import Connection
from s3d.s3.errors import S3Error
from s3d.standalone import checksums
from s3d.standalone.store import now
from s3d.standalone.version import NULL, seq_of

_COLUMNS = "bucket, key, seq, t.version, size, etag, body, upload, headers, tags, checksum, acl"
_VIEWS = f"""
CREATE TEMP VIEW every AS
    SELECT {_COLUMNS}, 0 AS marker, 1 AS is_current FROM object AS t
    UNION ALL SELECT {_COLUMNS}, marker, 0 FROM noncurrent AS t;
CREATE TEMP TABLE owner AS      -- of parts: versions, and uploads that go on; `version` is then the upload id
    SELECT upload, 'version' AS kind, bucket, key, version FROM every WHERE upload IS NOT NULL
    UNION ALL SELECT id, 'upload', bucket, key, upload_id FROM upload;
CREATE INDEX temp.owner_upload ON owner(upload);
"""

_EMPTY = hashlib.md5(usedforsecurity=False).hexdigest()

_VERSIONS = (
    ("is in a bucket that does not exist", "SELECT {v} FROM every v WHERE bucket NOT IN (SELECT id FROM main.bucket)"),
    (
        "is in a bucket whose versions were never enabled, and is not the current one",
        "SELECT {v} FROM every v JOIN main.bucket b ON b.id = v.bucket WHERE b.versioning IS NULL "
        "AND (NOT is_current OR v.version IS NOT NULL)",
    ),
    (
        "is the current version, but not the latest",
        "SELECT {v} FROM object v WHERE EXISTS "
        "(SELECT 1 FROM noncurrent n WHERE n.bucket = v.bucket AND n.key = v.key AND n.seq >= v.seq)",
    ),
    (
        "is the latest version and no delete marker, but not the current one",
        "SELECT {v} FROM noncurrent v WHERE NOT marker "
        "AND NOT EXISTS (SELECT 1 FROM noncurrent n WHERE n.bucket = v.bucket AND n.key = v.key AND n.seq > v.seq) "
        "AND NOT EXISTS (SELECT 1 FROM object o WHERE o.bucket = v.bucket AND o.key = v.key)",
    ),
    (
        "is there {} times",
        "SELECT {v}, count(*) FROM every v WHERE version IS NULL GROUP BY bucket, key HAVING count(*) > 1",
    ),
    (
        "has bytes, but is a delete marker",
        "SELECT {v} FROM noncurrent v WHERE marker AND (body IS NOT NULL OR upload IS NOT NULL OR size != 0)",
    ),
    (
        "has both a body and parts",
        "SELECT {v} FROM every v WHERE body IS NOT NULL AND upload IS NOT NULL",
    ),
    (
        "has lost its body (no row {})",
        "SELECT {v}, v.body FROM every v WHERE body IS NOT NULL AND body NOT IN (SELECT id FROM main.body)",
    ),
    (
        "has {} bytes, and no body",
        "SELECT {v}, size FROM every v WHERE size != 0 AND body IS NULL AND upload IS NULL",
    ),
    (
        "has {} bytes, and its body {}",
        "SELECT {v}, v.size, b.size FROM every v JOIN main.body b ON b.id = v.body WHERE v.size != b.size",
    ),
    (
        "has {} bytes, and its parts have {}",
        "SELECT {v}, v.size, (SELECT coalesce(sum(size), 0) FROM part WHERE part.upload = v.upload) AS parts "
        "FROM every v WHERE upload IS NOT NULL AND v.size != parts",
    ),
    (
        "has the ETag {}, and its body the MD5 {}",
        "SELECT {v}, etag, lower(hex(b.md5)) FROM every v JOIN main.body b ON b.id = v.body "
        "WHERE etag != lower(hex(b.md5))",
    ),
    (
        "has the ETag {}, but no bytes",
        "SELECT {v}, etag FROM every v WHERE NOT marker AND body IS NULL AND upload IS NULL AND size = 0 "
        f"AND etag != '{_EMPTY}'",
    ),
    (
        "shares its parts with another version or upload",
        "SELECT {v} FROM every v WHERE upload IN (SELECT upload FROM owner GROUP BY upload HAVING count(*) > 1)",
    ),
    (
        "has unreadable metadata",
        "SELECT {v} FROM every v WHERE NOT (json_valid(headers) AND json_valid(coalesce(tags, '{{}}')) "
        "AND json_valid(coalesce(acl, '[]')))",
    ),
)

_PARTS = (
    ("has lost its body (no row {})", "part.body IS NOT NULL AND b.id IS NULL", "part.body"),
    ("has {} bytes, and its body {}", "part.size != b.size", "part.size, b.size"),
    (
        "has the ETag {}, and its body the MD5 {}",
        "b.id IS NOT NULL AND part.etag != lower(hex(b.md5))",
        "part.etag, lower(hex(b.md5))",
    ),
    (
        "has the ETag {}, but no bytes",
        f"part.body IS NULL AND part.size = 0 AND part.etag != '{_EMPTY}'",
        "part.etag",
    ),
    ("has {} bytes, and no body", "part.body IS NULL AND part.size != 0", "part.size"),
)


def prepare(connection: Connection) -> None:
    """Makes the views that the rules look at, which go with the connection."""
    connection.executescript(_VIEWS)


def problems(connection: Connection) -> Iterator[str]:
    """One sentence each."""
    for sentence, query in _VERSIONS:
        for bucket, key, version, *gaps in connection.execute(query.format(v="v.bucket, v.key, v.version")):
            yield f"{_version(connection, bucket, key, version)} {sentence.format(*gaps)}"
    for sentence, condition, columns in _PARTS:
        query = (
            f"SELECT part.number, owner.kind, owner.bucket, owner.key, owner.version, {columns} FROM part "
            f"JOIN owner ON owner.upload = part.upload LEFT JOIN main.body AS b ON b.id = part.body WHERE {condition}"
        )
        for number, kind, bucket, key, version, *gaps in connection.execute(query):
            yield f"part {number} of {_owner(connection, kind, bucket, key, version)} {sentence.format(*gaps)}"
    yield from _lost(connection)
    yield from _composed(connection)
    yield from _misnamed(connection)


def repair(connection: Connection) -> Iterator[str]:
    """Inside a transaction: removes parts and settings that nothing refers to, and gives objects whose bucket is lost a
    bucket. What it did, one sentence each."""
    gone = connection.execute("DELETE FROM part WHERE upload NOT IN (SELECT upload FROM owner)").rowcount
    if gone:
        yield f"{gone} parts that belonged to nothing were removed"
    gone = connection.execute("DELETE FROM bucket_setting WHERE bucket NOT IN (SELECT id FROM bucket)").rowcount
    if gone:
        yield f"{gone} settings of buckets that do not exist were removed"
    lost = "SELECT bucket FROM every UNION SELECT bucket FROM upload EXCEPT SELECT id FROM bucket"
    for (bucket,) in connection.execute(lost).fetchall():
        name = f"recovered-{bucket}"
        versions = "SELECT 1 FROM every WHERE bucket = ? AND (NOT is_current OR version IS NOT NULL)"
        versioning = "Suspended" if connection.execute(versions, (bucket,)).fetchone() else None
        connection.execute("INSERT INTO bucket VALUES (?, ?, ?, '', ?)", (bucket, name, now(), versioning))
        yield f"the bucket {name!r} was made for objects whose bucket does not exist"


def owners(connection: Connection, body: int) -> list[tuple[str, str]]:
    """Who has a body: their names, and what can be done if it is damaged."""
    versions = connection.execute("SELECT bucket, key, version FROM every WHERE body = ?", (body,)).fetchall()
    found = [(_version(connection, *row), _advice("version", row[2])) for row in versions]
    parts = connection.execute(
        "SELECT part.number, owner.kind, owner.bucket, owner.key, owner.version FROM part "
        "JOIN owner ON owner.upload = part.upload WHERE part.body = ?",
        (body,),
    )
    for number, kind, bucket, key, version in parts:
        found.append((f"part {number} of {_owner(connection, kind, bucket, key, version)}", _advice(kind, version)))
    return found


def _advice(kind: str, version: str | None) -> str:
    if kind == "upload":
        return "upload the part again or abort the upload"
    if version is None:
        return "put the object again or delete it"
    return f"delete this version (versionId={version})"


def _lost(connection: Connection) -> Iterator[str]:
    """What belongs to nothing."""
    query = "SELECT upload, count(*) FROM part WHERE upload NOT IN (SELECT upload FROM owner) GROUP BY upload"
    for upload, count in connection.execute(query):
        yield f"{count} parts belong to upload {upload}, which is neither going on nor an object"
    query = "SELECT bucket, name FROM bucket_setting WHERE bucket NOT IN (SELECT id FROM bucket)"
    for bucket, name in connection.execute(query):
        yield f"the setting {name!r} belongs to bucket {bucket}, which does not exist"
    query = "SELECT bucket, key, upload_id FROM upload WHERE bucket NOT IN (SELECT id FROM bucket)"
    for bucket, key, upload_id in connection.execute(query):
        yield f"{_owner(connection, 'upload', bucket, key, upload_id)} is in a bucket that does not exist"


def _composed(connection: Connection) -> Iterator[str]:
    """ETags and checksums of objects that came in parts: those of the digests of the parts."""
    query = (
        "SELECT v.bucket, v.key, v.version, v.etag, v.checksum, part.etag, part.checksum, part.size FROM every v "
        "JOIN part ON part.upload = v.upload ORDER BY v.upload, v.bucket, v.key, v.seq, part.number"
    )
    for (bucket, key, version, etag, checksum), rows in groupby(connection.execute(query), lambda row: row[:5]):
        parts = [row[5:] for row in rows]
        name = _version(connection, bucket, key, version)
        if etag != _etag([part[0] for part in parts]):
            yield f"{name} has the ETag {etag}, which is not that of its {len(parts)} parts"
        if checksum is not None and checksum != _checksum(checksum, [part[1:] for part in parts]):
            yield f"{name} has the checksum {checksum}, which is not that of its {len(parts)} parts"


def _etag(parts: list[str]) -> str | None:
    try:
        digests = bytes.fromhex("".join(parts))
    except ValueError:
        return None
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _checksum(stored: str, parts: list[tuple[str, int]]) -> str | None:
    """What the whole has, of the same kind as ``stored``; None if the parts do not have what it takes."""
    algorithm = checksums.BY_NAME.get(stored.partition(":")[0])
    if algorithm is None or any((part or "").partition(":")[0] != algorithm.name for part, _ in parts):
        return None
    try:
        if "-" in stored:
            return checksums.composite(algorithm, [part for part, _ in parts])
        return checksums.full_object(algorithm, parts)
    except (binascii.Error, KeyError):  # no base64; an algorithm whose values cannot be combined
        return None


def _misnamed(connection: Connection) -> Iterator[str]:
    """A version is found by the order in its id."""
    for bucket, key, version, seq in connection.execute(
        "SELECT bucket, key, version, seq FROM every WHERE version IS NOT NULL"
    ):
        try:
            right = seq_of(version) == seq
        except S3Error:
            right = False
        if not right:
            yield f"{_version(connection, bucket, key, version)} cannot be found by its version id"


def _owner(connection: Connection, kind: str, bucket: int, key: bytes, version: Any) -> str:
    if kind == "version":
        return _version(connection, bucket, key, version)
    return f"upload {version} of {_key(key)} in bucket {_bucket(connection, bucket)}"


def _version(connection: Connection, bucket: int, key: bytes, version: str | None) -> str:
    return f"version {version or NULL} of {_key(key)} in bucket {_bucket(connection, bucket)}"


def _key(key: bytes) -> str:
    """On one line, whatever is in it."""
    return repr(key.decode("utf-8", "backslashreplace"))


def _bucket(connection: Connection, bucket: int) -> str:
    row = connection.execute("SELECT name FROM bucket WHERE id = ?", (bucket,)).fetchone()
    return repr(row[0]) if row else f"number {bucket}"
