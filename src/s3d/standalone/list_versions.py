"""ListObjectVersions: current objects and all other versions and delete markers, in the order of keys, newest first.

Both tables have that order already, and SQLite merges them as it goes. The order of the checks is that of S3.
"""

from __future__ import annotations

from collections.abc import Iterator

from s3d.local.database import Connection, unchanging
from s3d.s3 import codec
from s3d.s3.codec import list_entries
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone import history
from s3d.standalone.bucket import OWNER, Bucket
from s3d.standalone.listing import Page, Row, Rows, Selection, kind, read, selection
from s3d.standalone.store import Call, Members, Store
from s3d.standalone.version import NULL, key_bytes, seq_of

_COLUMNS = "key, seq, version, modified, size, etag, storage_class, checksum"
_BOTH = (
    f"SELECT {_COLUMNS}, 0 AS marker FROM object WHERE {{0}} "
    f"UNION ALL SELECT {_COLUMNS}, marker FROM noncurrent WHERE {{0}} ORDER BY key, seq DESC LIMIT ?2"
)
_RANGE = _BOTH.format("bucket = ?1 AND key >= ?3 AND key < ?4")
_OLDER = _BOTH.format("bucket = ?1 AND key = ?3 AND seq < ?4")
_HAS_NEWER = (
    "SELECT 1 FROM object WHERE bucket = ?1 AND key = ?2 AND seq >= ?3 "
    "UNION ALL SELECT 1 FROM noncurrent WHERE bucket = ?1 AND key = ?2 AND seq >= ?3 LIMIT 1"
)
_OWNER = list_entries.owner_element(OWNER)
_FIRST = 2**63 - 1
"""Newer than any version is."""


async def list_object_versions(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, InvalidArgument (a version-id-marker alone, empty, or that cannot be one)."""
    members = call.members
    wanted, key_marker = selection(members), key_bytes(members.get("KeyMarker", ""))
    id_marker: str | None = members.get("VersionIdMarker")
    seq = _marked_seq(id_marker, has_key="KeyMarker" in members)
    with unchanging(store.reader):
        bucket = store.bucket(call.bucket)
        if id_marker == NULL:
            seq = _null_seq(store.reader, bucket, key_marker)
        page, first_is_latest = _read(store.reader, bucket, wanted, key_marker, seq)
    answer: Members = {
        "Name": call.bucket,
        "Prefix": wanted.written(wanted.prefix),
        "KeyMarker": wanted.written(key_marker),
        "VersionIdMarker": id_marker or "",
        **_next(wanted, page),
        "MaxKeys": wanted.limit,
        "Delimiter": wanted.written(wanted.delimiter) if "Delimiter" in members else None,
        "EncodingType": members.get("EncodingType"),
        "IsTruncated": page.truncated,
    }
    elements = [*_entries(wanted, page, first_is_latest)]
    elements += [list_entries.common_prefix(wanted.written(group)) for group in page.groups]
    return codec.build_response("ListObjectVersions", answer, elements=elements)


def _marked_seq(id_marker: str | None, *, has_key: bool) -> int | None:
    """Where a version-id-marker is in the order of its key's versions; None: behind all, or not known yet (null)."""
    if id_marker is None:
        return None
    elements = {"ArgumentName": "version-id-marker", "ArgumentValue": id_marker}
    if not has_key:
        message = "A version-id marker cannot be specified without a key marker."
        raise S3Error("InvalidArgument", message, elements=elements)
    if not id_marker:
        raise S3Error("InvalidArgument", "A version-id marker cannot be empty.", elements=elements)
    if id_marker == NULL:
        return None
    try:
        return seq_of(id_marker)
    except S3Error as error:
        raise S3Error("InvalidArgument", error.message, elements=elements) from error


def _null_seq(connection: Connection, bucket: Bucket, key: bytes) -> int:
    """Where the null version is. Was it removed since the last page, nobody knows; then all versions of its key come
    (again): whoever removes page by page misses none."""
    found = history.find(connection, bucket, key, NULL)
    return _FIRST if found is None else found.seq


def _read(
    connection: Connection, bucket: Bucket, wanted: Selection, key_marker: bytes, seq: int | None
) -> tuple[Page, bool]:
    """The page behind the markers, and whether its first row is the latest version of its key."""

    def select(start: bytes, end: bytes, limit: int) -> Rows:
        return connection.execute(_RANGE, (bucket.id, limit, start, end))

    first: list[Row] = []
    listed = key_marker.startswith(wanted.prefix) and wanted.group(key_marker) is None
    if seq is not None and listed and wanted.limit:
        first = connection.execute(_OLDER, (bucket.id, wanted.limit + 1, key_marker, seq)).fetchall()
    page = read(select, wanted, wanted.behind(key_marker), first)
    is_latest = not first or not connection.execute(_HAS_NEWER, (bucket.id, key_marker, seq)).fetchone()
    return page, is_latest


def _next(wanted: Selection, page: Page) -> Members:
    """The markers of the next page. A common prefix has no version."""
    if not page.truncated:
        return {}
    version = None if isinstance(page.last, bytes) else page.last[2] or NULL
    return {"NextKeyMarker": wanted.written(page.marker), "NextVersionIdMarker": version}


def _entries(wanted: Selection, page: Page, first_is_latest: bool) -> Iterator[str]:
    before, is_latest = None, first_is_latest
    for key, _, version, modified, size, etag, storage_class, checksum, marker in page.rows:
        if before is not None:
            is_latest = key != before
        before, name, version_id = key, wanted.written(key), version or NULL
        if marker:
            yield list_entries.delete_marker(name, version_id, is_latest, modified, _OWNER)
        else:
            yield list_entries.version(
                name,
                version_id,
                is_latest,
                modified,
                etag,
                size,
                storage_class or "STANDARD",
                kind(checksum),
                _OWNER,
            )
