"""A stored body as the body of a request: what a copy reads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Self

from s3d.local.bodies import Segment
from s3d.local.errors import refused
from s3d.s3.checksums import Algorithm
from s3d.s3.errors import S3Error
from s3d.s3.message import FileRange, ResponseBody
from s3d.standalone.store import Store
from s3d.standalone.version import Version

_PIECE = 1 << 20  # bytes a thread reads at a time: some 0.3 ms against 0.05 ms for the way there


class StoredBody:
    """Bytes of one version, which stay readable until the end of the context. Iterate once.

    Iteration raises InternalError when a file is missing or has become shorter.
    """

    replayable = False

    def __init__(self, content: ResponseBody, length: int) -> None:
        self.length = length
        self._content = content
        self._open: FileRange | None = content if isinstance(content, FileRange) else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._close()
        if isinstance(self._content, AsyncGenerator):
            await self._content.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._content
        if isinstance(content, AsyncGenerator):
            async for item in content:
                if isinstance(item, FileRange):
                    self._open = item
                    async for piece in _pieces(item):
                        yield piece
                    self._close()
                else:
                    yield bytes(item)
        elif isinstance(content, FileRange):
            async for piece in _pieces(content):
                yield piece
        elif content:
            yield content

    def _close(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.file.close()


def stored_body(store: Store, version: Version, offset: int, length: int) -> StoredBody:
    """As `stored_bytes`, for reading them here."""
    return StoredBody(stored_bytes(store, version, offset, length), length)


def stored_bytes(
    store: Store, version: Version, offset: int, length: int, segments: Sequence[Segment] | None = None
) -> ResponseBody:
    """``length`` bytes from ``offset`` on. To be called inside the `unchanging` in which ``version`` was looked up: from
    then on the bytes stay, whatever becomes of the object. Raises InternalError if they are not there.

    Files are removed at the bidding of the event loop, after the commit that lets go of them: so one whose row is seen
    here is still there. ``segments`` are its bodies, where they are known.
    """
    if segments is None:
        segments = store.segments(version)
    try:
        if sum(segment.size for segment in segments) != version.size:
            raise FileNotFoundError(f"body of version {version.seq}")
        return store.bodies.read(segments, offset, length)
    except OSError as error:
        raise refused(error, "opening a body") from error


async def digest(body: StoredBody, algorithm: Algorithm) -> bytes:
    """The digest of all of it."""
    hasher = algorithm.new()
    async for piece in body:
        if algorithm.cpu_bound and len(piece) == _PIECE:
            await asyncio.to_thread(hasher.update, piece)
        else:
            hasher.update(piece)
    return hasher.digest()


async def _pieces(source: FileRange) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    position, end = source.offset, source.offset + source.length
    while position < end:
        size = min(_PIECE, end - position)
        reading = loop.run_in_executor(None, os.pread, source.file.fileno(), size, position)
        try:
            piece = await asyncio.shield(reading)
        except asyncio.CancelledError:
            await asyncio.wait([reading])  # who closes the file now must not do it below the thread's feet
            raise
        except OSError as error:
            raise refused(error, "reading a body") from error
        if not piece:
            raise S3Error("InternalError", "The file of a body has become shorter.")
        position += len(piece)
        yield piece
