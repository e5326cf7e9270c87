"""GetObject and HeadObject."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict

from s3d.local.bodies import Segment
from s3d.local.database import unchanging
from s3d.s3.errors import S3Error
from s3d.s3.message import Query, S3Response
from s3d.standalone import upload as uploads
from s3d.standalone.answers import http_date
from s3d.standalone.checksums import headers as checksum_headers
from s3d.standalone.checksums import part_headers as part_checksum_headers
from s3d.standalone.conditions import check_read, is_unchanged
from s3d.standalone.lookup import readable
from s3d.standalone.metadata import OVERRIDABLE, headers_of, refuse_unsupported
from s3d.standalone.ranges import byte_range
from s3d.standalone.store import Call, Store
from s3d.standalone.stored_body import stored_bytes
from s3d.standalone.version import COLUMNS, Version

_OVERRIDES = {f"response-{name.lower()}": name for name in OVERRIDABLE}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # what no header can hold (RFC 9110 section 5.5)

_COLUMNS = f"SELECT b.versioning, {', '.join(f'o.{name}' for name in COLUMNS.split(', '))}"
_TABLES = "FROM bucket AS b JOIN object AS o ON o.bucket = b.id AND o.key = ?2"
_WHICH = "WHERE b.name = ?1 AND o.upload IS NULL"
_DESCRIBED = f"{_COLUMNS} {_TABLES} {_WHICH}"
_WHOLE = f"{_COLUMNS}, d.size, d.file, d.data {_TABLES} LEFT JOIN body AS d ON d.id = o.body {_WHICH}"


@dataclass(frozen=True, slots=True)
class _Found:
    """What a read is of. ``segments`` are its bodies, None: to be looked up."""

    version: Version
    versioning: str | None
    segments: Sequence[Segment] | None


async def get_object(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, NoSuchKey, NoSuchVersion, MethodNotAllowed (delete marker), PreconditionFailed, NotModified,
    InvalidRange, InvalidPartNumber, InvalidRequest, InternalError (the body is damaged)."""
    refuse_unsupported(call.request.headers)
    if (row := _current(store, call, _WHOLE)) is not None:
        segments = (Segment(*row[-3:]),) if row[-3] is not None else ()
        return _answer(store, call, _Found(Version(*row[1:-3]), row[0], segments))
    with unchanging(store.reader):
        return _answer(store, call, _look(store, call))


async def head_object(store: Store, call: Call) -> S3Response:
    """As `get_object`, without the body."""
    refuse_unsupported(call.request.headers)
    if (row := _current(store, call, _DESCRIBED)) is not None:
        return _head(store, call, _Found(Version(*row[1:]), row[0], None))[0]
    with unchanging(store.reader):
        return _head(store, call, _look(store, call))[0]


def _current(store: Store, call: Call, query: str) -> tuple[Any, ...] | None:
    """The usual case, a current version of one body, with one statement instead of five; None for all others."""
    if "VersionId" in call.members or not call.bucket.isascii():
        return None
    row: tuple[Any, ...] | None = store.reader.execute(query, (call.bucket, call.key)).fetchone()
    return row


def _look(store: Store, call: Call) -> _Found:
    bucket = store.bucket(call.bucket)
    version = readable(store.reader, bucket, call.key, call.members.get("VersionId"), call.request.method)
    return _Found(version, bucket.versioning, None)


def _answer(store: Store, call: Call, found: _Found) -> S3Response:
    response, offset, length = _head(store, call, found)
    if length:
        response.body = stored_bytes(store, found.version, offset, length, found.segments)
    return response


def _head(store: Store, call: Call, found: _Found) -> tuple[S3Response, int, int]:
    """The answer without its body, and which bytes that has."""
    members, version = call.members, found.version
    check_read(members, version)
    headers = CIMultiDict([*_described(found.versioning, version), *headers_of(version.headers)])
    override(call.request.query, headers)
    where = _where(store, call, version, headers)
    if members.get("ChecksumMode") == "ENABLED" and where is None:
        headers.extend(checksum_headers(version.checksum))
    offset, length = where or (0, version.size)
    if length and where is not None:  # no range is written as one of no bytes: a part may be empty
        headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{version.size}"
    headers["Content-Length"] = str(length)
    return S3Response(206 if where else 200, headers), offset, length


def override(query: Query, headers: CIMultiDict[str]) -> None:
    """Replaces headers by what ``response-content-type`` and its kin say. Raises InvalidArgument."""
    for name, value in query:
        if name in _OVERRIDES:
            headers[_OVERRIDES[name]] = _overriding(name, value)


def _overriding(name: str, value: str) -> str:
    """Raises InvalidArgument for what would begin another header, or the body."""
    if _CONTROL.search(value):
        elements = {"ArgumentName": name, "ArgumentValue": value}
        raise S3Error("InvalidArgument", "Header value cannot be represented.", elements=elements)
    return value


def _where(store: Store, call: Call, version: Version, headers: CIMultiDict[str]) -> tuple[int, int] | None:
    """Offset and length of what is asked for if that is not all."""
    number: int | None = call.members.get("PartNumber")
    if number is None:
        return _range(call, version)
    uploads.check_number(number)
    if call.members.get("Range") is not None:
        raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    parts = uploads.parts(store.reader, version.upload) if version.upload is not None else []
    count = len(parts) or 1  # an object that was put whole is one part
    if not 1 <= number <= count:
        elements = {"PartNumberRequested": str(number), "ActualPartCount": str(count)}
        raise S3Error("InvalidPartNumber", elements=elements)
    if not parts:
        if version.size and call.members.get("ChecksumMode") == "ENABLED":
            headers.extend(checksum_headers(version.checksum))
        return (0, version.size) if version.size else None
    headers["x-amz-mp-parts-count"] = str(count)
    part = parts[number - 1]
    if call.members.get("ChecksumMode") == "ENABLED":
        headers.extend(part_checksum_headers(part.checksum, version.checksum))
    return (sum(before.size for before in parts[: number - 1]), part.size)


def _described(versioning: str | None, version: Version) -> list[tuple[str, str]]:
    """The headers beside those that came with the object."""
    described = [
        ("Last-Modified", http_date(version.modified)),
        ("ETag", version.quoted_etag),
        ("Accept-Ranges", "bytes"),
    ]
    if versioning is not None:
        described.append(("x-amz-version-id", version.version_id))
    if version.storage_class is not None:  # S3 leaves it out for STANDARD
        described.append(("x-amz-storage-class", version.storage_class))
    if version.tags is not None:
        described.append(("x-amz-tagging-count", str(len(version.tag_set()))))
    return described


def _range(call: Call, version: Version) -> tuple[int, int] | None:
    condition = call.request.headers.get("If-Range")
    if condition is not None and not is_unchanged(condition, version.etag, version.modified):
        return None
    return byte_range(call.members.get("Range"), version.size)
