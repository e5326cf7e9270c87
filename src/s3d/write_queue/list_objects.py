"""ListObjects and ListObjectsV2 as the remote will answer them once everything is pushed.

The remote is always asked with version 2 and from a key on. Its tokens are never handed out: ours hold the last name of the
page, so that a list goes on at the right place whatever was pushed meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import unquote_to_bytes

from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.answers import moment
from s3d.standalone.listing import Selection, kind, selection
from s3d.standalone.version import key_bytes, key_text
from s3d.write_queue.answers import STATE, read_whole
from s3d.write_queue.merge import Changes, Entry, Listed, Page, Wanted, has_other_key, merge

PARTIAL = "x-s3d-partial"
"""On lists of only what is known here, while the remote is away."""

_TOKEN_HEAD = b"s3d"
_SUM = 4  # bytes
_NOTHING: tuple[Listed, ...] = ()


class Refused(Exception):
    """The remote's answer that is no list."""

    def __init__(self, response: S3Response) -> None:
        super().__init__(response.status)
        self.response = response


async def list_objects(request: S3Request, members: dict[str, Any], inner: Backend, changes: Changes) -> S3Response:
    """The merged list, or the remote's error. Raises RemoteUnreachable, InvalidArgument (a token)."""
    wanted = _wanted(request, members)
    remote = _Remote(request, inner)

    async def lives(group: bytes) -> bool:
        return await has_other_key(group, remote.entries(Wanted(group, b"", 1000, group)), changes)

    try:
        if not wanted.limit:
            await anext(remote.entries(Wanted(wanted.prefix, wanted.delimiter, 1, wanted.start)), None)  # errors count
            page = Page()
        else:
            page = await merge(wanted, remote.entries(wanted), changes, lives)
    except Refused as refused:
        return refused.response
    return _answer(request, members, page, remote.owner)


async def list_local(request: S3Request, members: dict[str, Any], changes: Changes) -> S3Response:
    """Only what is known here."""

    async def nothing() -> AsyncGenerator[Listed, None]:
        for entry in _NOTHING:
            yield entry

    async def lives(_: bytes) -> bool:
        return False

    wanted = _wanted(request, members)
    page = await merge(wanted, nothing(), changes, lives) if wanted.limit else Page()
    response = _answer(request, members, page, None)
    response.headers[PARTIAL] = "true"
    return response


class _Remote:
    """Pages of the remote. ``owner``: the member Owner of an entry that had one."""

    def __init__(self, request: S3Request, inner: Backend) -> None:
        self._request = request
        self._inner = inner
        self.owner: dict[str, Any] | None = None

    async def entries(self, wanted: Wanted) -> AsyncGenerator[Listed, None]:
        """All of its entries at or behind ``wanted.start``. Raises Refused, RemoteUnreachable."""
        token: str | None = None
        while True:
            page = await self._page(wanted, token)
            decode = decoded if page.get("EncodingType") == "url" else key_bytes
            listed = [Listed(decode(entry["Key"]), entry) for entry in page.get("Contents") or []]
            listed += [Listed(decode(entry["Prefix"]), None) for entry in page.get("CommonPrefixes") or []]
            listed.sort(key=_name)
            for entry in listed:
                if entry.name >= wanted.start:
                    self._see(entry)
                    yield entry
            token = page.get("NextContinuationToken")
            if not page.get("IsTruncated") or not token:
                return

    def _see(self, entry: Listed) -> None:
        if self.owner is None and entry.members is not None:
            self.owner = entry.members.get("Owner")

    async def _page(self, wanted: Wanted, token: str | None) -> dict[str, Any]:
        members: dict[str, Any] = {
            "Bucket": self._request.bucket,
            "Prefix": key_text(wanted.prefix) or None,
            "Delimiter": key_text(wanted.delimiter) or None,
            "MaxKeys": min(1000, wanted.limit + 1),
            "EncodingType": "url",
            "FetchOwner": True,
            "StartAfter": key_text(_before(wanted.start)) or None if token is None else None,
            "ContinuationToken": token,
        }
        request = codec.build_request("ListObjectsV2", members)
        request.request_id = self._request.request_id
        for name, value in self._request.headers.items():  # the payer, the expected owner
            if name.lower().startswith("x-amz-"):
                request.headers[name] = value
        response = await read_whole(await self._inner(request))
        if response.status != 200:
            raise Refused(response)
        assert isinstance(response.body, bytes)  # noqa: S101  so says `read_whole`
        return codec.parse_response("ListObjectsV2", response, response.body)


def _wanted(request: S3Request, members: dict[str, Any]) -> Wanted:
    select = selection(members)
    token: str | None = members.get("ContinuationToken")
    if token is not None and request.operation == "ListObjectsV2":
        marker = _from_token(token)
    else:
        marker = key_bytes(members.get("StartAfter" if request.operation == "ListObjectsV2" else "Marker") or "")
    return Wanted(select.prefix, select.delimiter, select.limit, select.behind(marker))


def _answer(request: S3Request, members: dict[str, Any], page: Page, owner: dict[str, Any] | None) -> S3Response:
    select = selection(members)
    is_v2 = request.operation == "ListObjectsV2"
    shows_owner = not is_v2 or bool(members.get("FetchOwner"))
    answer: dict[str, Any] = {"Name": request.bucket, "Prefix": select.written(select.prefix)}
    if is_v2:
        start: str | None = members.get("StartAfter")
        answer |= {
            "StartAfter": None if start is None else select.encode(start),
            "ContinuationToken": members.get("ContinuationToken"),
            "NextContinuationToken": _token(page.last) if page.truncated else None,
            "KeyCount": len(page.entries),
        }
    else:
        answer["Marker"] = select.written(key_bytes(members.get("Marker") or ""))
        answer["NextMarker"] = select.written(page.last) if page.truncated and select.delimiter else None
    answer |= {
        "MaxKeys": select.limit,
        "Delimiter": select.written(select.delimiter) if select.delimiter else None,
        "EncodingType": members.get("EncodingType"),
        "IsTruncated": page.truncated,
        "Contents": [
            _contents(select, entry, owner if shows_owner else None, shows_owner=shows_owner)
            for entry in page.entries
            if not entry.is_prefix
        ],
        "CommonPrefixes": [{"Prefix": select.written(entry.name)} for entry in page.entries if entry.is_prefix],
    }
    response = codec.build_response(request.operation, answer)
    response.headers[STATE] = "remote"
    response.headers["x-amz-request-id"] = request.request_id
    response.headers["Server"] = "s3d"
    return response


def _contents(select: Selection, entry: Entry, owner: dict[str, Any] | None, *, shows_owner: bool) -> dict[str, Any]:
    """The members of an entry."""
    if entry.members is not None:
        shown = {**entry.members, "Key": select.written(entry.name)}
        if not shows_owner:
            shown.pop("Owner", None)
        return shown
    version = entry.version
    assert version is not None  # noqa: S101  it is no common prefix
    found: dict[str, Any] = {
        "Key": select.written(entry.name),
        "LastModified": moment(version.modified),
        "ETag": version.quoted_etag,
        "Size": version.size,
        "StorageClass": version.storage_class or "STANDARD",
    }
    if owner is not None:
        found["Owner"] = owner
    if (checksum := kind(version.checksum)) is not None:
        found |= {"ChecksumAlgorithm": [checksum[0]], "ChecksumType": checksum[1]}
    return found


def _before(start: bytes) -> bytes:
    """A name in front of ``start`` and behind all that is surely not wanted, for StartAfter. What that lets through too
    much is left out here."""
    if start.endswith(b"\0"):
        return start[:-1]
    text = start[:-1]  # `start` is the first key behind a common prefix: its last byte is one more than the prefix's
    return text + bytes([start[-1] - 1]) if start else b""


def decoded(text: str) -> bytes:
    """S3 writes a space as "+"."""
    return unquote_to_bytes(text.replace("+", " ").encode("utf-8", "surrogateescape"))


def _name(entry: Listed) -> bytes:
    return entry.name


def _token(last: bytes) -> str:
    raw = _TOKEN_HEAD + zlib.crc32(last).to_bytes(_SUM, "big") + last
    return base64.urlsafe_b64encode(raw).decode()


def _from_token(text: str) -> bytes:
    """The last name of the page before. Raises InvalidArgument."""
    try:
        raw = base64.b64decode(text, b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    last = raw[len(_TOKEN_HEAD) + _SUM :]
    if not last or _token(last) != text:
        elements = {"ArgumentName": "continuation-token", "ArgumentValue": text}
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect", elements=elements)
    return last
