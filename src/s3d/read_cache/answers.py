"""The answer to a read out of an entry: conditions, ranges and headers as S3 has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from multidict import CIMultiDict

from s3d.read_cache.entry import Entry
from s3d.read_cache.rules import Wanted
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.conditions import check_read_of, is_unchanged
from s3d.standalone.ranges import byte_range
from s3d.standalone.read import override

CACHE = "x-s3d-cache"
REASON = "x-s3d-cache-reason"
STATE = "x-s3d-state"
TAG_COUNT = "x-amz-tagging-count"
"""On answers to GetObject, if the object has tags."""

Headers = list[tuple[str, str]]

HIT, MISS, STALE, REVALIDATED, BYPASS = "HIT", "MISS", "STALE", "REVALIDATED", "BYPASS"

_OF_ONE_ANSWER = frozenset(
    {"content-length", "content-range", "date", "x-amz-request-id", "x-amz-id-2", "transfer-encoding", "connection"}
)
_CHECKSUM = "x-amz-checksum-"
_OF_NOT_MODIFIED = (
    "ETag", "Last-Modified", "Cache-Control", "Content-Location", "Expires", "Vary", "x-amz-version-id",
)  # fmt: skip
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Described:
    """What an answer of the remote says of the object."""

    etag: str
    size: int | None
    headers: Headers
    whole: bool

    def is_of(self, entry: Entry) -> bool:
        """Whether its bytes are those of the entry. The headers may be others."""
        return (self.etag, self.size) == (entry.etag, entry.size)


def described(response: S3Response) -> Described:
    """Of a 200 or 206 to GetObject or HeadObject."""
    headers = response.headers
    size: int | None = None
    if response.status == 206:
        match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
        size = int(match[3]) if match else None
    elif headers.get("Content-Length", "").isdecimal():
        size = int(headers["Content-Length"])
    whole = response.status == 200
    kept = [
        (name, value)
        for name, value in headers.items()
        if (lower := name.lower()) not in _OF_ONE_ANSWER
        and not lower.startswith("x-s3d-")
        and (whole or not lower.startswith(_CHECKSUM))
    ]
    return Described(headers.get("ETag", ""), size, kept, whole)


def content_range(response: S3Response) -> tuple[int, int] | None:
    """Offset and length of the bytes in a 206."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return (int(match[1]), int(match[2]) + 1 - int(match[1])) if match else None


def answer(request: S3Request, wanted: Wanted, entry: Entry, state: str) -> tuple[S3Response, int, int]:
    """The answer without its body, and which bytes that has: offset, length. Raises S3Error: PreconditionFailed,
    NotModified, InvalidRange, InvalidArgument."""
    headers = CIMultiDict(entry.headers)
    try:
        if wanted.conditional:
            modified = _modified(headers)
            members = wanted.members if modified is not None else _without_dates(wanted.members)
            check_read_of(members, entry.etag.strip('"'), modified or 0)
        where = byte_range(_range(request, entry, headers), entry.size)
        override(request.query, headers)
    except S3Error as error:
        raise _marked(error, headers, state) from None
    if (where is not None or not wanted.with_checksums) and _CHECKSUM in "\n".join(headers).lower():
        for name in [name for name in headers if name.lower().startswith(_CHECKSUM)]:
            headers.popall(name, None)
    offset, length = where or (0, entry.size)
    if where is not None:
        headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{entry.size}"
    headers["Content-Length"] = str(length)
    headers["x-amz-request-id"] = request.request_id
    headers[STATE] = "remote"
    headers[CACHE] = state
    return S3Response(206 if where else 200, headers), offset, length


def marked(response: S3Response, state: str, reason: str | None = None) -> S3Response:
    """An answer of the remote, with what the cache has to do with it."""
    response.headers[CACHE] = state
    if reason is not None:
        response.headers[REASON] = reason
    return response


def _range(request: S3Request, entry: Entry, headers: CIMultiDict[str]) -> str | None:
    condition = request.headers.get("If-Range")
    if condition is not None and not is_unchanged(condition, entry.etag.strip('"'), _modified(headers) or 0):
        return None
    return request.headers.get("Range")


def _marked(error: S3Error, headers: CIMultiDict[str], state: str) -> S3Error:
    said = dict(error.headers) | {CACHE: state, STATE: "remote"}
    if error.code == "NotModified":
        said.pop("Last-Modified", None)
        said |= {name: headers[name] for name in _OF_NOT_MODIFIED if name in headers}
    return S3Error(error.code, error.message, elements=error.elements, headers=said)


def _modified(headers: CIMultiDict[str]) -> int | None:
    """Unix seconds; None: the remote does not say, or nothing that is a date."""
    try:
        return int(parsedate_to_datetime(headers.get("Last-Modified", "")).timestamp())
    except ValueError:
        return None


def _without_dates(members: dict[str, Any]) -> dict[str, Any]:
    """Conditions that need a date hold if there is none (RFC 9110 sections 13.1.3 and 13.1.4)."""
    return {name: value for name, value in members.items() if not name.endswith("ModifiedSince")}
