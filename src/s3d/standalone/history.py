"""The versions of a key: how a write, a delete and the removal of a version change them.

    versioning    PUT                                        DELETE without a version
    never         replaces the object                        removes the object
    Enabled       the current one becomes noncurrent         the current one becomes noncurrent, a delete marker is added
    Suspended     as Enabled, and replaces the null version  as Enabled, with a null marker that replaces the null version

Removing a version that is the latest makes the one before it current, unless that is a delete marker. Everything here runs
inside a transaction. Source: "How S3 Versioning works", Amazon S3 User Guide.
"""

from __future__ import annotations

import time

from s3d.local.bodies import Bodies
from s3d.local.database import Connection
from s3d.standalone.bucket import Bucket
from s3d.standalone.version import COLUMNS, NULL, Version, new_version_id, seq_of

_ONE = f"SELECT {COLUMNS} FROM object WHERE bucket = ? AND key = ?"
_NEWEST = f"SELECT {COLUMNS}, marker FROM noncurrent WHERE bucket = ? AND key = ? ORDER BY seq DESC LIMIT 1"
_BY_SEQ = f"SELECT {COLUMNS}, marker FROM noncurrent WHERE bucket = ? AND key = ? AND seq = ?"
_NULL = f"SELECT {COLUMNS}, marker FROM noncurrent WHERE bucket = ? AND key = ? AND version IS NULL"
_WRITE = f"INSERT OR REPLACE INTO object ({COLUMNS}) VALUES ({', '.join('?' * 14)})"
_WRITE_MARKER = f"INSERT INTO noncurrent ({COLUMNS}, marker) VALUES ({', '.join('?' * 14)}, 1)"
_RETIRE = f"INSERT INTO noncurrent ({COLUMNS}, marker) SELECT {COLUMNS}, 0 FROM object WHERE bucket = ? AND key = ?"
_REMOVE_CURRENT = "DELETE FROM object WHERE bucket = ? AND key = ? AND seq = ? RETURNING body, upload"
_REMOVE_NONCURRENT = "DELETE FROM noncurrent WHERE bucket = ? AND key = ? AND seq = ? RETURNING body, upload"
_HAS_CURRENT = "SELECT 1 FROM object WHERE bucket = ? AND key = ?"
_NEWEST_SEQ = "SELECT seq, marker FROM noncurrent WHERE bucket = ? AND key = ? ORDER BY seq DESC LIMIT 1"
_PROMOTE = f"INSERT INTO object ({COLUMNS}) SELECT {COLUMNS} FROM noncurrent WHERE bucket = ? AND key = ? AND seq = ?"


def current(connection: Connection, bucket: Bucket, key: bytes) -> Version | None:
    """The object, or None: there is none, or a delete marker is the latest."""
    row = connection.execute(_ONE, (bucket.id, key)).fetchone()
    return Version(*row) if row else None


def latest(connection: Connection, bucket: Bucket, key: bytes) -> Version | None:
    """The latest version, a delete marker too."""
    return current(connection, bucket, key) or _noncurrent(connection, _NEWEST, (bucket.id, key))


def find(connection: Connection, bucket: Bucket, key: bytes, version_id: str) -> Version | None:
    """That version, a delete marker too, or None. Raises InvalidArgument for what is no version id."""
    found = current(connection, bucket, key)
    if version_id == NULL:
        if found is not None and found.version is None:
            return found
        return _noncurrent(connection, _NULL, (bucket.id, key))
    seq = seq_of(version_id)
    if found is None or found.seq != seq:
        found = _noncurrent(connection, _BY_SEQ, (bucket.id, key, seq))
    return found if found is not None and found.version == version_id else None


def put(connection: Connection, bodies: Bodies, bucket: Bucket, new: Version, old: Version | None) -> None:
    """Makes ``new`` the current version; ``old`` is what `current` says. Sets ``seq`` and ``version`` of ``new``."""
    _number(connection, bucket, new, old)
    if bucket.versioning is not None:
        _make_room(connection, bodies, bucket, new.key, old, replaces_null=bucket.versioning != "Enabled")
    elif old is not None:
        release(connection, bodies, old)
    connection.execute(_WRITE, _row(new))


def delete(connection: Connection, bodies: Bodies, bucket: Bucket, key: bytes, now: int) -> Version | None:
    """A delete without a version: the delete marker that it made, or None in a bucket that never had versions."""
    old = current(connection, bucket, key)
    if bucket.versioning is None:
        if old is not None:
            release(connection, bodies, old)
            connection.execute("DELETE FROM object WHERE bucket = ? AND key = ?", (bucket.id, key))
        return None
    marker = Version(bucket.id, key, 0, None, now, 0, "", None, None, "[]", marker=True)
    _number(connection, bucket, marker, old)
    _make_room(connection, bodies, bucket, key, old, replaces_null=bucket.versioning != "Enabled")
    connection.execute("DELETE FROM object WHERE bucket = ? AND key = ?", (bucket.id, key))
    connection.execute(_WRITE_MARKER, _row(marker))
    return marker


def remove(connection: Connection, bodies: Bodies, bucket: Bucket, gone: Version) -> None:
    """Removes one version for good; the one before it may become the current one."""
    remove_seq(connection, bodies, bucket.id, gone.key, gone.seq)


def remove_seq(connection: Connection, bodies: Bodies, bucket: int, key: bytes, seq: int) -> None:
    """The same, of the version with that order if there is one. ``bucket`` is its id."""
    is_current = True
    row = connection.execute(_REMOVE_CURRENT, (bucket, key, seq)).fetchone()
    if row is None:
        is_current = False
        row = connection.execute(_REMOVE_NONCURRENT, (bucket, key, seq)).fetchone()
    if row is None:
        return
    body, upload = row
    bodies.release(connection, body)
    if upload is not None:
        release_parts(connection, bodies, upload)
    if not is_current and connection.execute(_HAS_CURRENT, (bucket, key)).fetchone() is not None:
        return
    newest = connection.execute(_NEWEST_SEQ, (bucket, key)).fetchone()
    if newest is not None and not newest[1]:
        connection.execute(_PROMOTE, (bucket, key, newest[0]))
        connection.execute("DELETE FROM noncurrent WHERE bucket = ? AND key = ? AND seq = ?", (bucket, key, newest[0]))


def release(connection: Connection, bodies: Bodies, version: Version) -> None:
    """Lets go of the bytes of a version whose row goes away."""
    bodies.release(connection, version.body)
    if version.upload is not None:
        release_parts(connection, bodies, version.upload)


def release_parts(connection: Connection, bodies: Bodies, upload: int) -> None:
    """Removes the parts of an upload, or of the object that it became."""
    rows = connection.execute("DELETE FROM part WHERE upload = ? RETURNING body", (upload,)).fetchall()
    for (body,) in rows:
        bodies.release(connection, body)


def _make_room(
    connection: Connection, bodies: Bodies, bucket: Bucket, key: bytes, old: Version | None, *, replaces_null: bool
) -> None:
    """Moves the current version to the others, or removes it if it is the null version that a new one replaces."""
    at = (bucket.id, key)
    if replaces_null:
        null = old if old is not None and old.version is None else _noncurrent(connection, _NULL, at)
        if null is not None:
            release(connection, bodies, null)
            connection.execute("DELETE FROM noncurrent WHERE bucket = ? AND key = ? AND version IS NULL", at)
        if null is not None and null is old:
            return  # whoever called writes or deletes its row
    if old is not None:
        connection.execute(_RETIRE, at)


def _number(connection: Connection, bucket: Bucket, new: Version, old: Version | None) -> None:
    """Gives a new version its place behind all others of the key, also when the clock was set back."""
    before = old
    if bucket.versioning is not None and old is None:
        before = _noncurrent(connection, _NEWEST, (bucket.id, new.key))
    new.seq = time.time_ns() // 1000
    if before is not None and new.seq <= before.seq:
        new.seq = before.seq + 1
    new.version = new_version_id(new.seq) if bucket.versioning == "Enabled" else None


def _noncurrent(connection: Connection, query: str, parameters: tuple[object, ...]) -> Version | None:
    row = connection.execute(query, parameters).fetchone()
    return Version(*row) if row else None


def _row(version: Version) -> tuple[object, ...]:
    v = version
    first = (v.bucket, v.key, v.seq, v.version, v.modified, v.size, v.etag, v.body, v.upload)
    return (*first, v.headers, v.tags, v.storage_class, v.checksum, v.acl)
