"""Fetching blocks of one version: what arrives goes into the file, and to all who wait for it.

    the remote's body ──> whole blocks ──> a thread writes them and computes their checksums ──> the entry has them

A fetch that breaks off goes on where it stopped. If the remote has another version meanwhile, the entry is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from s3d.local.block_files import BLOCK, BlockFiles, write
from s3d.local.errors import refused
from s3d.read_cache.answers import content_range
from s3d.read_cache.entry import Entry
from s3d.read_cache.index import Index, logged
from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error, error_response
from s3d.s3.message import FileRange, S3Request, S3Response
from s3d.standalone.version import key_text

log = logging.getLogger("s3d.read_cache")

_TRIES = 3
"""Times that a fetch is taken up again without a byte in between."""
_PAUSES = (0.1, 0.5)
"""Seconds before the second and third."""
_BUFFER = 1 << 20
"""Bytes that may wait for the disk."""
_KEEP_EVERY = 2.0
"""Seconds between two commits of what came."""
_FINISH = 1 << 20
"""Bytes that are fetched to the end even if nobody reads them."""
_PATIENCE = 1.0
"""Seconds without a reader after which a fetch ends."""


class Changed(RemoteUnreachable):
    """The remote has another version, or none: to the client of an answer that has begun, an answer that breaks off."""

    def __init__(self) -> None:
        super().__init__("The object was replaced while it was read: repeat the request.", retry_after=1)


@dataclass(frozen=True, slots=True)
class Files:
    """Where fetches put what they get. ``drop`` is told of entries that the remote does not have any more, ``came`` of
    bytes that are here now, ``fetched`` of the remote's answers."""

    inner: Backend
    files: BlockFiles
    index: Index
    drop: Callable[[Entry], Awaitable[None]]
    came: Callable[[Entry, int], None]
    fetched: Callable[[Entry, S3Response], None]


class Fetch:
    """The blocks of ``entry`` from ``next`` to before ``last``; ``error`` says why it ended before that."""

    def __init__(self, to: Files, entry: Entry, first: int, last: int, *, ahead: bool = False) -> None:
        self._to = to
        self._is_ahead = ahead
        self._entry = entry
        self.next, self.last = first, last
        self.error: S3Error | None = None
        self.is_unkept = False
        """It ended because the cache's own disk does not take it."""
        self.taken = 0
        """Bytes that came."""
        self._kept = first  # up to here the database knows
        self._kept_at = time.monotonic()
        self._alone_since: float | None = None
        self._stopped = False
        entry.fetches.append(self)

    async def run(self, response: S3Response | None = None) -> None:
        """To the end, or the first error that stays. ``response``: its body begins with the first block, or before."""
        entry = self._entry
        try:
            await self._all(response)
        except Changed as error:
            self.error = error
            await self._to.drop(entry)
        except S3Error as error:
            self.error = error
        except Exception as error:
            if not isinstance(error, OSError):
                self.error = S3Error("InternalError", "Fetching the object met a defect.")
                raise
            self.error, self.is_unkept = refused(error, "writing to the cache"), True
        finally:
            entry.fetches.remove(self)
            entry.tell()
            if not entry.readers and entry.gone:
                entry.close()
        await self._keep()

    async def _all(self, response: S3Response | None) -> None:
        failures = 0
        while self.next < self.last and not self._stopped:
            before = self.next
            try:
                if response is None:
                    response = await get_range(self._to.inner, self._entry, *self._range())
                offset = offset_of(response)
                self._to.fetched(self._entry, response)
                await self._take(response.body, self.next * BLOCK - offset)
            except Changed:
                raise
            except RemoteUnreachable as error:
                failures = 0 if self.next > before else failures + 1
                if failures >= _TRIES:
                    raise
                log.info("a fetch broke off and is taken up again", extra={"error": error.message})
                await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES)) - 1] if failures else 0)
            response = None

    def _range(self) -> tuple[int, int]:
        """Offset and length of what is left."""
        start = self.next * BLOCK
        return start, min(self.last * BLOCK, self._entry.size) - start

    async def _take(self, body: object, skip: int) -> None:
        """Takes in a body; ``skip``: bytes in front of the first block. Raises RemoteUnreachable, OSError."""
        left = self._range()[1]
        buffer = bytearray()
        writing: asyncio.Task[None] | None = None
        pieces = pieces_of(body)
        try:
            async for piece in pieces:
                buffer += piece[skip : skip + left - len(buffer)]
                skip = max(0, skip - len(piece))
                if writing is not None and (writing.done() or len(buffer) >= _BUFFER):
                    await writing
                    writing = None
                if writing is None and (size := self._ready(len(buffer), left)):
                    left -= size
                    writing = asyncio.get_running_loop().create_task(self._write(bytes(buffer[:size])))
                    del buffer[:size]
                if not left or self._is_unwanted():
                    break
        finally:
            await pieces.aclose()
            if writing is not None:
                await writing
        if size := self._ready(len(buffer), left):
            await self._write(bytes(buffer[:size]))
            left -= size
        if left and not self._stopped:
            raise RemoteUnreachable("The remote's answer broke off.")

    def _ready(self, buffered: int, left: int) -> int:
        """Bytes that can be written: whole blocks, or all that is left."""
        return buffered if buffered == left else buffered - buffered % BLOCK

    async def _write(self, data: bytes) -> None:
        entry = self._entry
        if entry.inline:
            entry.data = data
            self._arrived(data, self.last)
            entry.tell()
            return
        handle = self._open()
        with entry.writing():
            crcs = await write(handle, self.next, data)
        entry.came(self.next, crcs)
        self._arrived(data, self.next + len(crcs))
        if time.monotonic() - self._kept_at > _KEEP_EVERY:
            await self._keep()

    def _open(self) -> int:
        entry, files = self._entry, self._to.files
        if entry.handle is None and entry.file is not None:
            with contextlib.suppress(FileNotFoundError):
                entry.handle = files.reopen(entry.file)
        if entry.handle is None:
            entry.file, entry.handle = files.create()
            if entry.gone:  # nobody will look for it any more
                files.remove(entry.file)
        return entry.handle

    def _arrived(self, data: bytes, next_block: int) -> None:
        self.next = next_block
        self.taken += len(data)
        self._to.came(self._entry, len(data))

    def _is_unwanted(self) -> bool:
        """Whether nobody reads it, and it is not nearly done."""
        if self._is_ahead or self._entry.readers or self._range()[1] <= _FINISH:
            self._alone_since = None
            return False
        now = time.monotonic()
        if self._alone_since is None:
            self._alone_since = now
        self._stopped = now - self._alone_since >= _PATIENCE
        return self._stopped

    async def _keep(self) -> None:
        """Lets the database know what came."""
        first, self._kept, self._kept_at = self._kept, self.next, time.monotonic()
        if self._entry.gone or first == self.next:
            return
        blocks = [] if self._entry.inline else self._entry.numbered(first, self.next)
        try:
            await self._to.index.keep(self._entry, blocks)
        except S3Error as error:
            logged(error)


async def get_range(inner: Backend, entry: Entry, offset: int, length: int) -> S3Response:
    """The remote's answer with these bytes, or with all of them. Raises Changed, and RemoteUnreachable for every other
    answer."""
    response = await ask(inner, _request(entry, offset, length))
    if response.status in (200, 206) and response.headers.get("ETag") == entry.etag:
        found = content_range(response) if response.status == 206 else (0, entry.size)
        if found is not None and found[0] <= offset and offset + length <= sum(found):
            return response
    await discard(response)
    if response.status in (200, 206, 404, 412, 416):
        raise Changed
    raise RemoteUnreachable(f"The remote S3 answers {response.status} in the middle of an object.")


async def ask(inner: Backend, request: S3Request) -> S3Response:
    """An answer, whatever it is: an embedded store raises what a remote answers. Raises RemoteUnreachable."""
    try:
        return await inner(request)
    except RemoteUnreachable:
        raise
    except S3Error as error:
        return error_response(error, resource="", request_id="", head=request.method == "HEAD")


async def discard(response: S3Response) -> None:
    """Closes the body of an answer that nobody wants."""
    if isinstance(response.body, FileRange):
        response.body.file.close()
    elif not isinstance(response.body, bytes):
        await response.body.aclose()


def _request(entry: Entry, offset: int, length: int) -> S3Request:
    members = {"Bucket": entry.bucket, "Key": key_text(entry.key), "IfMatch": entry.etag}
    if length < entry.size:
        members["Range"] = f"bytes={offset}-{offset + length - 1}"
    return codec.build_request("GetObject", members)


def offset_of(response: S3Response) -> int:
    """Of the first byte in an answer."""
    found = content_range(response) if response.status == 206 else None
    return found[0] if found else 0


async def pieces_of(body: object) -> AsyncGenerator[bytes | memoryview, None]:
    """A body as bytes. Raises what the body raises, as RemoteUnreachable if it is the link."""
    if isinstance(body, bytes):
        yield body
    elif isinstance(body, FileRange):  # of an embedded store
        async for piece in _of_file(body):
            yield piece
    else:
        assert isinstance(body, AsyncGenerator)  # noqa: S101  there is no other kind
        try:
            async for piece in body:
                if isinstance(piece, FileRange):
                    async for read in _of_file(piece):
                        yield read
                else:
                    yield piece
        finally:
            await body.aclose()


async def _of_file(source: FileRange) -> AsyncGenerator[bytes, None]:
    with source.file:
        position, end = source.offset, source.offset + source.length
        while position < end:
            piece = await asyncio.to_thread(_pread, source, position, min(1 << 20, end - position))
            if not piece:
                raise RemoteUnreachable("A file became shorter while it was read.")
            position += len(piece)
            yield piece


def _pread(source: FileRange, position: int, size: int) -> bytes:
    source.file.seek(position)
    return source.file.read(size)
