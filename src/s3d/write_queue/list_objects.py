"""ListObjects and ListObjectsV2 as the remote will answer them once everything is pushed.

The remote is always asked with version 2 and from a key on. Its tokens are never handed out: ours hold the last name of the
page, so that a list goes on at the right place whatever was pushed meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree.ElementTree import Element

from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.codec import list_entries, xml_read
from s3d.s3.codec.xml_read import local_name
from s3d.s3.codec.xml_write import copied, escape
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.s3.whole import read_whole
from s3d.standalone.listing import Selection, kind, selection
from s3d.standalone.version import key_bytes, key_text
from s3d.write_queue.answers import STATE
from s3d.write_queue.merge import Changes, Entry, Listed, Page, RemotePage, Wanted, merge

PARTIAL = "x-s3d-partial"
"""On lists of only what is known here, while the remote is away."""

_TOKEN_HEAD = b"s3d"
_SUM = 4  # bytes


OwnerOf = Callable[[], Awaitable[str]]
"""The element Owner for entries beside which the remote has none that says it."""


async def nobody() -> str:
    return ""


class Refused(Exception):
    """The remote's answer that is no list."""

    def __init__(self, response: S3Response) -> None:
        super().__init__(response.status)
        self.response = response


async def list_objects(
    request: S3Request, members: dict[str, Any], inner: Backend, changes: Changes, owner: OwnerOf = nobody
) -> S3Response:
    """The merged list, or the remote's error. Raises RemoteUnreachable, InvalidArgument (a token)."""
    wanted = _wanted(request, members)
    remote = _Remote(request, inner)
    try:
        if not wanted.limit:
            async with aclosing(remote.pages(dataclasses.replace(wanted, limit=1))) as pages:
                await anext(pages)  # errors count
            page = Page()
        else:
            page = await merge(wanted, remote.pages, changes)
    except Refused as refused:
        return refused.response
    return await _answer(request, members, page, remote.owner, owner)


async def list_local(
    request: S3Request, members: dict[str, Any], changes: Changes, owner: OwnerOf = nobody
) -> S3Response:
    """Only what is known here."""

    async def nothing(_: Wanted) -> AsyncGenerator[RemotePage, None]:
        yield RemotePage([], truncated=False)

    wanted = _wanted(request, members)
    page = await merge(wanted, nothing, changes) if wanted.limit else Page()
    response = await _answer(request, members, page, "", owner)
    response.headers[PARTIAL] = "true"
    return response


class _Remote:
    """Pages of the remote. ``owner``: the element Owner of an entry that had one, or nothing."""

    def __init__(self, request: S3Request, inner: Backend) -> None:
        self._request = request
        self._inner = inner
        self.owner = ""

    async def pages(self, wanted: Wanted) -> AsyncGenerator[RemotePage, None]:
        """All of its entries at or behind ``wanted.start``. Raises Refused, RemoteUnreachable, InternalError."""
        token: str | None = None
        while True:
            body = await self._ask(wanted, token)
            try:
                page, token = self._read(body, wanted.start)
            except (ValueError, TypeError) as error:
                raise S3Error("InternalError", f"The remote's list is not valid: {error}") from error
            yield page
            if token is None:
                return

    def _read(self, body: bytes, start: bytes) -> tuple[RemotePage, str | None]:
        """A page, and the token of the next. Raises ValueError, TypeError (an entry without a name)."""
        scalars: dict[str, str] = {}
        named: list[tuple[str, Element | None]] = []
        for child in xml_read.parse_answer(body):
            tag = local_name(child.tag)
            if tag == "Contents":
                named.append((_text(child, "Key"), child))
            elif tag == "CommonPrefixes":
                named.append((_text(child, "Prefix"), None))
            else:
                scalars[tag] = child.text or ""
        decode = decoded if scalars.get("EncodingType") == "url" else key_bytes
        entries = [Listed(decode(name), element) for name, element in named]
        entries = sorted((entry for entry in entries if entry.name >= start), key=_name)
        if not self.owner:  # one entry says it, as all have one or none has
            self.owner = _owner(next((entry.element for entry in entries if entry.element is not None), None))
        token = scalars.get("NextContinuationToken") if scalars.get("IsTruncated") == "true" else None
        return RemotePage(entries, truncated=bool(token)), token or None

    async def _ask(self, wanted: Wanted, token: str | None) -> bytes:
        members: dict[str, Any] = {
            "Bucket": self._request.bucket,
            "Prefix": key_text(wanted.prefix) or None,
            "Delimiter": key_text(wanted.delimiter) or None,
            "MaxKeys": wanted.limit,
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
        return response.body


def _wanted(request: S3Request, members: dict[str, Any]) -> Wanted:
    select = selection(members)
    token: str | None = members.get("ContinuationToken")
    if token is not None and request.operation == "ListObjectsV2":
        marker = _from_token(token)
    else:
        marker = key_bytes(members.get("StartAfter" if request.operation == "ListObjectsV2" else "Marker") or "")
    return Wanted(select.prefix, select.delimiter, select.limit, select.behind(marker))


async def _answer(
    request: S3Request, members: dict[str, Any], page: Page, owner: str, otherwise: OwnerOf
) -> S3Response:
    select = selection(members)
    is_v2 = request.operation == "ListObjectsV2"
    shows_owner = not is_v2 or bool(members.get("FetchOwner"))
    if shows_owner and not owner and any(entry.version is not None for entry in page.entries):
        owner = await otherwise()
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
    }
    elements = [
        _contents(select, entry, owner if shows_owner else "", shows_owner=shows_owner)
        for entry in page.entries
        if not entry.is_prefix
    ]
    elements += [list_entries.common_prefix(select.written(entry.name)) for entry in page.entries if entry.is_prefix]
    response = codec.build_response(request.operation, answer, elements=elements)
    response.headers[STATE] = "remote"
    response.headers["x-amz-request-id"] = request.request_id
    response.headers["Server"] = "s3d"
    return response


def _contents(select: Selection, entry: Entry, owner: str, *, shows_owner: bool) -> str:
    """An entry: one of the remote as it wrote it, but for its key, which is encoded as this client asked."""
    key = select.written(entry.name)
    if entry.element is not None:
        pieces = [f"<Contents><Key>{escape(key)}</Key>"]
        for child in entry.element:
            tag = local_name(child.tag)
            if tag != "Key" and (shows_owner or tag != "Owner"):
                pieces.append(copied(child))
        pieces.append("</Contents>")
        return "".join(pieces)
    version = entry.version
    assert version is not None  # noqa: S101  it is no common prefix
    storage_class, checksum = version.storage_class or "STANDARD", kind(version.checksum)
    return list_entries.contents(key, version.modified, version.etag, version.size, storage_class, checksum, owner)


def _text(element: Element, tag: str) -> str:
    """Raises ValueError if there is no such child."""
    for child in element:
        if local_name(child.tag) == tag:
            return child.text or ""
    raise ValueError(f"an entry lacks {tag}")


def _owner(element: Element | None) -> str:
    for child in element if element is not None else ():
        if local_name(child.tag) == "Owner":
            return copied(child)
    return ""


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
