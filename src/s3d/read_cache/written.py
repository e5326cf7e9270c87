"""What is written through this daemon becomes an entry without being fetched: its bytes are kept as they are sent.

Its headers are those of the request until the first read asks the remote for its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from email.utils import formatdate

from multidict import CIMultiDict

from s3d.local.block_files import write
from s3d.read_cache.admission import Admission
from s3d.read_cache.answers import TAG_COUNT
from s3d.read_cache.entry import ASK, Entry
from s3d.read_cache.filling import Filling
from s3d.read_cache.rules import unkept
from s3d.read_cache.tee import Tee
from s3d.s3.message import S3Request, S3Response, body_length
from s3d.s3.uri import parse_query
from s3d.standalone.version import key_bytes

log = logging.getLogger("s3d.read_cache")

_OF_THE_OBJECT = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-meta-",
    "x-amz-website-redirect-location",
)
_OF_THE_ANSWER = ("x-amz-version-id", "x-amz-server-side-encryption", "x-amz-expiration")
_OTHERS = ("x-amz-server-side-encryption-customer-", "x-amz-write-offset-bytes")
"""Bytes that only the remote can read, or that are not the whole object."""


@contextlib.contextmanager
def written(filling: Filling, admission: Admission, request: S3Request) -> Iterator[Written | None]:
    """Keeps what a PutObject sends, inside; None: it is another request, or is not kept."""
    body: Written | None = None
    size = body_length(request.body)
    if request.operation == "PutObject" and _is_kept(filling, request, size) and admission.of_request(request, size):
        entry = Entry(request.bucket or "", key_bytes(request.key or ""), "", size, [], whole=False)
        if filling.room.make(entry.at, size):
            body = Written(filling, request, entry)
    try:
        yield body
    finally:
        if body is not None:
            body.close()


def _is_kept(filling: Filling, request: S3Request, size: int) -> bool:
    if any(name.lower().startswith(_OTHERS) for name in request.headers):
        return False
    headers = CIMultiDict({"ETag": '""', "Cache-Control": request.headers.get("Cache-Control", "")})
    return unkept(headers, size, filling.largest) is None


class Written:
    """The body of a request on its way, and the entry that it becomes. Room for it is reserved until `close`."""

    def __init__(self, filling: Filling, request: S3Request, entry: Entry) -> None:
        self._filling = filling
        self._entry = entry
        self._headers = _headers(request.headers)
        self._failed = self._kept = False
        self._tee = Tee(request.body, self._write)
        if isinstance(request.body, bytes) and entry.inline:
            entry.data, self._tee.passed = request.body, True
        elif entry.size:
            request.body = self._tee

    def keep(self, response: S3Response) -> None:
        """The remote has it, as ``response`` says: it is an entry from now on."""
        etag = response.headers.get("ETag")
        if not self._tee.passed or self._failed or not etag:
            return
        entry, now = self._entry, time.time()
        entry.etag = etag
        entry.headers = [
            ("Last-Modified", formatdate(int(now), usegmt=True)),
            ("ETag", etag),
            ("Accept-Ranges", "bytes"),
            *self._headers,
            *((name, value) for name, value in response.headers.items() if name.lower() in _OF_THE_ANSWER),
        ]
        entry.confirmed, entry.ask = now, ASK
        self._kept = True
        self._filling.adopt(entry)

    def close(self) -> None:
        """Lets go of what was not kept."""
        self._filling.room.release(self._entry.size)
        if self._kept:
            return
        self._entry.gone = True
        self._entry.close()
        if self._entry.file is not None:
            asyncio.get_running_loop().run_in_executor(None, self._filling.files.remove, self._entry.file)

    async def _write(self, first: int, data: bytes) -> None:
        entry = self._entry
        if entry.inline:
            entry.data = data
            return
        if self._failed:
            return
        entry.busy += 1  # the file stays open
        try:
            if entry.handle is None:
                entry.file, entry.handle = self._filling.files.create()
            with entry.writing():
                crcs = await write(entry.handle, first, data)
            entry.came(first, crcs)
        except OSError as error:
            log.warning("what is written cannot be kept in the cache", extra={"error": str(error)})
            self._failed = True
        finally:
            entry.busy -= 1


def _headers(fields: CIMultiDict[str]) -> list[tuple[str, str]]:
    """Those of the object, as the remote will say them."""
    headers = [(name, value) for name, value in fields.items() if name.lower().startswith(_OF_THE_OBJECT)]
    if "Content-Type" not in fields:
        headers.append(("Content-Type", "binary/octet-stream"))
    if tags := parse_query(fields.get("x-amz-tagging", "")):
        headers.append((TAG_COUNT, str(len(tags))))
    return headers
