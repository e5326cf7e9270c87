"""Multipart uploads through this daemon become entries without being fetched: each part is kept where it will be.

Where that is, is known if all parts but the last have one size. Clients send several at a time, so the last may come
first: it is in a file of its own until the upload is complete. An upload of which that turns out not to hold, or of
which parts came another way, is not kept: the first read fetches the object.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from s3d.local.block_files import BLOCK, copy, write
from s3d.read_cache.admission import Admission
from s3d.read_cache.answers import TAG_COUNT
from s3d.read_cache.entry import ASK, DOUBT, Entry, Key
from s3d.read_cache.filling import Filling
from s3d.read_cache.tee import Tee
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response, body_length
from s3d.s3.uri import parse_query
from s3d.standalone.version import key_bytes

log = logging.getLogger("s3d.read_cache")

_MOST = 64
"""Uploads that are kept at a time: each has an open file."""
_CREATED = 10_000
"""Uploads of which is known how many tags they set."""
_IDLE = 3600.0
"""Seconds after its last part for which an upload is kept."""
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-"

_Id = tuple[str, bytes, str]
"""Bucket, key, upload."""


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    handle: int


@dataclass(slots=True)
class _Part:
    """One that is here: where, and its checksums, by block. ``etag``: the remote has it, too."""

    size: int
    file: _File
    block: int
    crcs: array[int] = field(default_factory=lambda: array("I"))
    etag: str = ""


@dataclass(slots=True, eq=False)
class _Upload:
    """``part_size``: bytes of all parts but the last, 0 if that is not known yet. ``other``: a file with the last part,
    if it came before that was known. ``placed``: numbers of parts in the file. ``writing``: of those that are on their
    way; 0: the last part is being copied."""

    file: _File
    part_size: int = 0
    other: _File | None = None
    placed: set[int] = field(default_factory=set)
    parts: dict[int, _Part] = field(default_factory=dict)
    writing: set[int] = field(default_factory=set)
    reserved: dict[int, int] = field(default_factory=dict)
    """Bytes by the number of the part."""
    used: float = field(default_factory=time.monotonic)
    tags: int | None = None
    """How many the object will have; None: nobody knows."""
    broken: bool = False
    """It will be no entry; ``closed``: nor are its files there."""
    closed: bool = False


class Uploads:
    """Of one cache."""

    def __init__(self, filling: Filling, admission: Admission) -> None:
        self._filling = filling
        self._admission = admission
        self._uploads: OrderedDict[_Id, _Upload] = OrderedDict()
        self._created: OrderedDict[_Id, int] = OrderedDict()
        """Tags by upload, until its first part."""

    def close(self) -> None:
        """Lets go of all of them."""
        for found in list(self._uploads):
            self._drop(found)

    def sweep(self) -> None:
        """Lets go of those that are idle."""
        for found, upload in list(self._uploads.items()):
            if not upload.writing and time.monotonic() - upload.used > _IDLE:
                self._drop(found)

    async def create(self, request: S3Request) -> S3Response:
        """Sends a CreateMultipartUpload. Raises what the inner Backend raises."""
        response = await self._filling.inner(request)
        if response.status == 200 and isinstance(response.body, bytes):
            with contextlib.suppress(S3Error):
                said = codec.parse_response("CreateMultipartUpload", response, response.body)
                found = request.bucket or "", key_bytes(request.key or ""), str(said.get("UploadId", ""))
                self._created[found] = len(parse_query(request.headers.get("x-amz-tagging", "")))
                if len(self._created) > _CREATED:
                    self._created.popitem(last=False)
        return response

    async def part(self, request: S3Request) -> S3Response:
        """Sends an UploadPart, and keeps it. Raises what the inner Backend raises."""
        begun = self._begin(request)
        if begun is None:
            return await self._filling.inner(request)
        upload, number, part = begun
        failed = False

        async def keep(block: int, data: bytes) -> None:
            nonlocal failed
            try:
                written = await write(part.file.handle, part.block + block, data)
            except OSError as error:
                log.warning("a part cannot be kept in the cache", extra={"error": str(error)})
                failed = True
                return
            del part.crcs[block:]  # of the same part when it is sent a second time
            part.crcs.extend(written)

        request.body = tee = Tee(request.body, keep)
        try:
            response = await self._filling.inner(request)
            etag = response.headers.get("ETag", "")
            if response.status == 200 and etag and tee.passed and not failed:
                part.etag = etag.strip('"')
                upload.parts[number] = part
            elif response.status == 404:
                self.abort(request)
            return response
        finally:
            upload.writing.discard(number)
            upload.used = time.monotonic()
            if upload.broken:
                self._let_go(upload)

    def abort(self, request: S3Request) -> None:
        """The upload is no more."""
        self._drop(_id(request))

    async def completing(self, request: S3Request, members: dict[str, Any]) -> Completed | None:
        """What the upload becomes if the request succeeds; None: it is not kept."""
        found = _id(request)
        upload = self._uploads.get(found)
        if upload is None:
            return None
        entry = await _entry(found[:2], upload, (members.get("MultipartUpload") or {}).get("Parts") or [])
        if upload.broken:
            self._let_go(upload)
            return None
        if entry is None or entry.size > self._filling.largest:
            self._drop(found)
            return None
        return Completed(self, found, upload, entry)

    def become(self, found: _Id, upload: _Upload, entry: Entry) -> None:
        """The upload is this entry from now on, unless somebody let go of it meanwhile."""
        if self._uploads.get(found) is upload and not upload.writing:
            del self._uploads[found]
            self._filling.adopt(entry)
            self._filling.room.release(sum(upload.reserved.values()))
            self._remove(upload.other)

    def _begin(self, request: S3Request) -> tuple[_Upload, int, _Part] | None:
        """The upload that a part is kept for, its number, and where it will be; None: it is not kept."""
        found, size = _id(request), body_length(request.body)
        text = next((value for name, value in request.query if name == "partNumber"), "")
        is_kept = not any(name.lower().startswith(_CUSTOMER_KEY) for name in request.headers)
        is_kept = is_kept and self._admission.by_name(found[:2]) is None
        if not found[2] or not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 10_000 or not size:
            return None
        number = int(text)
        upload = self._uploads.get(found)
        if upload is None:
            upload = self._new(found) if is_kept and size <= self._filling.largest else None
            if upload is None:
                return None
        self._uploads.move_to_end(found)
        part = self._place(upload, number, size) if is_kept and number not in upload.writing else None
        if part is None or not self._reserve(found, upload, number, size):
            self._drop(found)
            return None
        upload.parts.pop(number, None)
        upload.writing.add(number)
        return upload, number, part

    def _new(self, found: _Id) -> _Upload | None:
        while len(self._uploads) >= _MOST:
            idle = next((other for other, upload in self._uploads.items() if not upload.writing), None)
            if idle is None:
                return None
            self._drop(idle)
        file = self._file()
        if file is None:
            return None
        self._uploads[found] = upload = _Upload(file, tags=self._created.pop(found, None))
        return upload

    def _file(self) -> _File | None:
        try:
            return _File(*self._filling.files.create())
        except OSError as error:
            log.warning("a part cannot be kept in the cache", extra={"error": str(error)})
            return None

    def _place(self, upload: _Upload, number: int, size: int) -> _Part | None:
        """Where a part will be; None: the upload is not one that is kept."""
        is_regular = number == 1 or size % BLOCK == 0
        if not upload.part_size and is_regular:
            upload.part_size = size
        elif not upload.part_size or size > upload.part_size:  # what came first was the last part, or is it now
            if upload.other is not None or len(upload.placed) > 1 or not (is_regular or not upload.placed):
                return None
            other = self._file()
            if other is None:
                return None
            if not upload.part_size:
                upload.other = other
                return _Part(size, other, 0)
            upload.file, upload.other = other, upload.file
            upload.part_size = size
            upload.placed.clear()
        place = (number - 1) * upload.part_size
        if place % BLOCK or place + size > self._filling.largest:
            return None
        upload.placed.add(number)
        return _Part(size, upload.file, place // BLOCK)

    def _reserve(self, found: _Id, upload: _Upload, number: int, size: int) -> bool:
        more = size - upload.reserved.get(number, 0)
        if more > 0:
            if not self._filling.room.make(found[:2], more):
                return False
            upload.reserved[number] = size
        return True

    def _drop(self, found: _Id) -> None:
        upload = self._uploads.pop(found, None)
        if upload is not None:
            upload.broken = True
            self._filling.room.release(sum(upload.reserved.values()))
            upload.reserved.clear()
            self._let_go(upload)

    def _let_go(self, upload: _Upload) -> None:
        """Of its files, when nobody writes to them any more."""
        if not upload.writing and not upload.closed:
            upload.closed = True
            self._remove(upload.file)
            self._remove(upload.other)

    def _remove(self, file: _File | None) -> None:
        if file is not None:
            os.close(file.handle)
            asyncio.get_running_loop().run_in_executor(None, self._filling.files.remove, file.name)


class Completed:
    """What an upload becomes."""

    def __init__(self, uploads: Uploads, found: _Id, upload: _Upload, entry: Entry) -> None:
        self._uploads = uploads
        self._found = found
        self._upload = upload
        self._entry = entry

    def keep(self, response: S3Response) -> None:
        """The remote has it, as ``response`` says: it is an entry from now on."""
        if not isinstance(response.body, bytes):
            return
        try:
            etag = codec.parse_response("CompleteMultipartUpload", response, response.body).get("ETag", "")
        except S3Error:
            return
        if not etag.strip('"'):
            return
        entry, now = self._entry, time.time()
        entry.etag = '"' + etag.strip('"') + '"'
        entry.headers = [("Last-Modified", formatdate(int(now), usegmt=True)), ("ETag", entry.etag)]
        tags = self._upload.tags
        if tags:
            entry.headers.append((TAG_COUNT, str(tags)))
        entry.confirmed, entry.ask = now, DOUBT if tags is None else ASK  # the first read asks for its headers
        self._uploads.become(self._found, self._upload, entry)


def _id(request: S3Request) -> _Id:
    upload = next((value for name, value in request.query if name == "uploadId"), "")
    return request.bucket or "", key_bytes(request.key or ""), upload


async def _entry(at: Key, upload: _Upload, listed: Sequence[dict[str, Any]]) -> Entry | None:
    """The entry of these parts, without what the remote says of it; None: they are not what is here."""
    known = [upload.parts.get(number) for number in range(1, len(listed) + 1)]
    parts = [part for part in known if part is not None]
    if upload.writing or not listed or len(parts) != len(listed) or len(parts) != len(upload.parts):
        return None
    for number, (part, said) in enumerate(zip(parts, listed, strict=True), 1):
        if said.get("PartNumber") != number or str(said.get("ETag", "")).strip('"') != part.etag:
            return None
        if part.size > upload.part_size or (number < len(parts) and part.size != upload.part_size):
            return None
    entry = Entry(*at, "", sum(part.size for part in parts), [], whole=False)
    if entry.inline:
        return None
    last = parts[-1]
    if last.file is not upload.file:
        if any(part.file is not upload.file for part in parts[:-1]):
            return None
        if not await _copy(last, upload, (len(parts) - 1) * upload.part_size // BLOCK):
            return None
    entry.file, entry.handle = upload.file.name, upload.file.handle
    for part in parts:
        entry.known(enumerate(part.crcs, part.block))
    return entry


async def _copy(part: _Part, upload: _Upload, block: int) -> bool:
    """To its place. False: the disk does not take it, or somebody let go of the upload."""
    upload.writing.add(0)
    try:
        await copy(part.file.handle, part.block, part.size, upload.file.handle, block)
    except OSError as error:
        log.warning("a part cannot be kept in the cache", extra={"error": str(error)})
        return False
    finally:
        upload.writing.discard(0)
    part.file, part.block = upload.file, block
    return not upload.writing and not upload.broken
