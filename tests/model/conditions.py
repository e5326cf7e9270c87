"""Preconditions and ranges: RFC 9110 sections 13 and 14 as S3 applies them. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from model.store import Object

from s3d.s3.errors import S3Error


def _names(condition: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match value names the ETag. S3 accepts one without quotes."""
    wanted = {part.strip().removeprefix("W/").strip('"') for part in condition.split(",")}
    return condition.strip() == "*" or etag.strip('"') in wanted


def _failed(condition: str) -> S3Error:
    return S3Error("PreconditionFailed", elements={"Condition": condition})


def check_read(members: Mapping[str, Any], found: Object) -> None:
    """Raises PreconditionFailed or NotModified. If-Match overrules If-Unmodified-Since, and If-None-Match
    If-Modified-Since (RFC 9110 section 13.2.2)."""
    if (value := members.get("IfMatch")) is not None:
        if not _names(value, found.etag):
            raise _failed("If-Match")
    elif _is_after(found.modified, members.get("IfUnmodifiedSince")):
        raise _failed("If-Unmodified-Since")
    unchanged = {"ETag": found.etag}
    if (value := members.get("IfNoneMatch")) is not None:
        if _names(value, found.etag):
            raise S3Error("NotModified", headers=unchanged)
    elif (since := members.get("IfModifiedSince")) is not None and not _is_after(found.modified, since):
        raise S3Error("NotModified", headers=unchanged)


def check_copy(members: Mapping[str, Any], source: Object) -> None:
    """The conditions on the source of a copy: each that fails is a 412 ("CopyObject", Amazon S3 API Reference)."""
    if (value := members.get("CopySourceIfMatch")) is not None:
        if not _names(value, source.etag):
            raise _failed("x-amz-copy-source-If-Match")
    elif _is_after(source.modified, members.get("CopySourceIfUnmodifiedSince")):
        raise _failed("x-amz-copy-source-If-Unmodified-Since")
    if (value := members.get("CopySourceIfNoneMatch")) is not None:
        if _names(value, source.etag):
            raise _failed("x-amz-copy-source-If-None-Match")
    elif (since := members.get("CopySourceIfModifiedSince")) is not None and not _is_after(source.modified, since):
        raise _failed("x-amz-copy-source-If-Modified-Since")


def check_write(members: Mapping[str, Any], key: str, current: Object | None) -> None:
    """Conditional writes: If-None-Match takes only ``*``, If-Match needs an object ("Conditional writes", S3 guide)."""
    if (value := members.get("IfNoneMatch")) is not None:
        if value.strip() != "*":
            raise S3Error("NotImplemented", elements={"Header": "If-None-Match"})
        if current is not None:
            raise _failed("If-None-Match")
    if (value := members.get("IfMatch")) is not None:
        if current is None:
            raise S3Error("NoSuchKey", elements={"Key": key})
        if not _names(value, current.etag):
            raise _failed("If-Match")


def check_delete(
    key: str, current: Object | None, *, etag: str | None, modified: datetime | None, size: int | None
) -> None:
    """Conditional deletes, which always look at the current version ("Conditional deletes", S3 guide). Time and size of
    what is not there hold ("DeleteObject", Amazon S3 API Reference)."""
    check_write({"IfMatch": etag}, key, current)
    if current is None:
        return
    if modified is not None and modified.replace(microsecond=0) != current.modified:
        raise _failed("x-amz-if-match-last-modified-time")
    if size is not None and size != len(current.data):
        raise _failed("x-amz-if-match-size")


def _is_after(modified: datetime, limit: datetime | None) -> bool:
    return limit is not None and modified > limit


def byte_range(value: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte that a Range names; None for the whole object, which is also what S3 makes of a malformed
    range and of several. Raises InvalidRange when no byte of the object is in it."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", value or "")
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
    if start >= size:
        raise S3Error("InvalidRange", elements={"RangeRequested": value or "", "ActualObjectSize": str(size)})
    return start, end
