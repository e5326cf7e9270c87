"""Preconditions as S3 applies them. Pure functions.

Sources: RFC 9110 section 13; "Conditional reads" and "Conditional writes" in the Amazon S3 User Guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from s3d.s3.errors import S3Error
from s3d.standalone.answers import http_date
from s3d.standalone.version import Version, key_text

_HEADERS = {
    "IfMatch": "If-Match",
    "IfUnmodifiedSince": "If-Unmodified-Since",
    "IfNoneMatch": "If-None-Match",
    "IfModifiedSince": "If-Modified-Since",
}


def check_read(members: Mapping[str, Any], found: Version) -> None:
    """Raises PreconditionFailed or NotModified. If-Match overrules If-Unmodified-Since, and If-None-Match overrules
    If-Modified-Since (RFC 9110 section 13.2.2)."""
    check_read_of(members, found.etag, found.modified)


def check_read_of(members: Mapping[str, Any], etag: str, modified: int) -> None:
    """The same for any object: its ETag without quotes, its Last-Modified in Unix seconds."""
    broken = _broken(members, etag, modified)
    if broken in ("IfMatch", "IfUnmodifiedSince"):
        raise failed(_HEADERS[broken])
    if broken is not None:
        raise S3Error("NotModified", headers={"ETag": f'"{etag}"', "Last-Modified": http_date(modified)})


def is_unchanged(condition: str, etag: str, modified: int) -> bool:
    """If-Range: an ETag, or exactly the date of the last change (RFC 9110 section 13.1.5)."""
    return condition == http_date(modified) or (condition != "*" and names(condition, etag))


def check_copy_source(members: Mapping[str, Any], source: Version) -> None:
    """The conditions on the source of a copy: each that fails is PreconditionFailed."""
    renamed = {member: members.get(f"CopySource{member}") for member in _HEADERS}
    if (broken := _broken(renamed, source.etag, source.modified)) is not None:
        raise failed(f"x-amz-copy-source-{_HEADERS[broken]}")


def check_write(members: Mapping[str, Any], key: bytes, current: Version | None) -> None:
    """The conditions of a write. Raises PreconditionFailed, NoSuchKey (If-Match of nothing), NotImplemented."""
    if (unwanted := members.get("IfNoneMatch")) is not None:
        if unwanted.strip() != "*":
            raise S3Error("NotImplemented", elements={"Header": "If-None-Match"})
        if current is not None:
            raise failed("If-None-Match")
    if (wanted := members.get("IfMatch")) is not None:
        if current is None:
            raise S3Error("NoSuchKey", elements={"Key": key_text(key)})
        if not names(wanted, current.etag):
            raise failed("If-Match")


def check_delete(members: Mapping[str, Any], key: bytes, found: Version | None) -> None:
    """The conditions of a delete; ``found`` None: there is nothing to delete, which breaks If-Match only ("DeleteObject",
    Amazon S3 API Reference). Raises PreconditionFailed, NoSuchKey."""
    conditions = ("IfMatch", "IfMatchLastModifiedTime", "IfMatchSize")
    wanted, modified, size = (members.get(name) for name in conditions)
    if wanted is None and modified is None and size is None:
        return
    if found is None:
        if wanted is not None:
            raise S3Error("NoSuchKey", elements={"Key": key_text(key)})
        return
    if wanted is not None and not names(wanted, found.etag):
        raise failed("If-Match")
    if modified is not None and _seconds(modified) != found.modified:
        raise failed("x-amz-if-match-last-modified-time")
    if size is not None and size != found.size:
        raise failed("x-amz-if-match-size")


def failed(condition: str) -> S3Error:
    """The error that names the header that did not hold."""
    return S3Error("PreconditionFailed", elements={"Condition": condition})


def names(condition: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match value names the ETag (without quotes). S3 takes one without quotes, too."""
    if condition.strip() == "*":
        return True
    return any(part.strip().removeprefix("W/").strip('"') == etag for part in condition.split(","))


def _broken(members: Mapping[str, Any], etag: str, modified: int) -> str | None:
    """The first condition that does not hold."""
    if (wanted := members.get("IfMatch")) is not None:
        if not names(wanted, etag):
            return "IfMatch"
    elif (limit := members.get("IfUnmodifiedSince")) is not None and modified > _seconds(limit):
        return "IfUnmodifiedSince"
    if (unwanted := members.get("IfNoneMatch")) is not None:
        if names(unwanted, etag):
            return "IfNoneMatch"
    elif (limit := members.get("IfModifiedSince")) is not None and modified <= _seconds(limit):
        return "IfModifiedSince"
    return None


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
