"""The bytes of an answer: blocks that are here by way of the file, the others as they arrive."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncGenerator
from typing import Any

from s3d.local.block_files import BLOCK, blocks_of, damaged
from s3d.read_cache.entry import Entry
from s3d.read_cache.fetch import Changed, Fetch, get_range, offset_of, pieces_of
from s3d.read_cache.filling import Filling
from s3d.s3.errors import S3Error
from s3d.s3.message import FileRange, ResponseBody

log = logging.getLogger("s3d.read_cache")

_RUN = 64
"""Blocks that are handed out at a time."""
_AT_ONCE = 4
"""Gaps that are fetched at a time for one answer."""

_LEAST_AHEAD, _MOST_AHEAD = 16, 256
"""Blocks that are fetched ahead of a sequential reader."""

Piece = bytes | memoryview | FileRange


async def ready(filling: Filling, entry: Entry, offset: int, length: int) -> ResponseBody | None:
    """The bytes if all of them are here; None: they have to be fetched, or some are damaged."""
    if not length:
        return b""
    if entry.inline:
        data = entry.data
        return None if data is None else data if length == entry.size else data[offset : offset + length]
    first, last = offset // BLOCK, blocks_of(offset + length)
    if not entry.has(first, last):
        return None
    entry.readers += 1  # its file stays open
    try:
        if not await _checked(filling, entry, first, last):
            return None
        return _file_range(entry, offset, length)
    finally:
        entry.readers -= 1
        filling.release(entry)


class Content(AsyncGenerator[Piece, None]):
    """Bytes that are still being fetched. The entry is kept until the end or `aclose`.

    Not a generator function, because ``aclose`` of one that was never started would let go of nothing.
    """

    def __init__(self, filling: Filling, entry: Entry, offset: int, length: int) -> None:
        self._entry: Entry | None = entry
        self._filling = filling
        self._pieces = _pieces(filling, entry, offset, length)
        self._first: Piece | None = None
        entry.readers += 1

    async def begin(self) -> None:
        """Waits for the first bytes, so that what prevents them is no broken answer. Raises S3Error, Changed."""
        self._first = await self.asend(None)

    async def asend(self, value: None) -> Piece:
        first, self._first = self._first, None
        if first is not None:
            return first
        try:
            return await anext(self._pieces)
        except BaseException:
            self._release()
            raise

    async def athrow(self, *error: Any) -> Piece:
        await self.aclose()
        raise error[0]

    async def aclose(self) -> None:
        if isinstance(self._first, FileRange):
            self._first.file.close()
        self._first = None
        self._release()
        await self._pieces.aclose()

    def _release(self) -> None:
        entry, self._entry = self._entry, None
        if entry is not None:
            entry.readers -= 1
            self._filling.release(entry)


async def _pieces(filling: Filling, entry: Entry, offset: int, length: int) -> AsyncGenerator[Piece, None]:
    position, end = offset, offset + length
    last = blocks_of(end)
    if not await _first_missing(filling, entry, offset // BLOCK, last):
        async for piece in _past(filling, entry, position, end):
            yield piece
        return
    while position < end:
        block = position // BLOCK
        if entry.inline and entry.data is not None:
            yield entry.data[position:end]
            return
        run = block if entry.inline else entry.run(block, min(last, block + _RUN))
        if run > block:
            if await _checked(filling, entry, block, run):
                stop = min(run * BLOCK, end)
                yield _file_range(entry, position, stop - position)
                position = stop
            continue
        fetch = _covering(entry, block) or _begin(filling, entry, block, last)
        if fetch is not None:
            await entry.change()
            if fetch.error is not None and not fetch.is_unkept and not entry.has(block, block + 1):
                raise fetch.error
        if fetch is None or fetch.is_unkept:
            async for piece in _past(filling, entry, position, end):
                yield piece
            return


async def _first_missing(filling: Filling, entry: Entry, first: int, last: int) -> bool:
    """Waits for the first block that is not here, before any is handed out: if the remote has another version now, the
    answer can begin anew. False: it cannot be kept. Raises S3Error."""
    missing = first if entry.inline else entry.run(first, last)
    if missing in (first, last):
        return True
    fetch = _covering(entry, missing) or _begin(filling, entry, missing, last)
    while fetch in entry.fetches and not entry.has(missing, missing + 1):
        await entry.change()
    if fetch is None or fetch.is_unkept:
        return False
    if fetch.error is not None:
        raise fetch.error
    return True


async def fill(filling: Filling, entry: Entry) -> bool:
    """Returns when all of it is here; False: there is no room. Raises S3Error, Changed."""
    entry.readers += 1
    try:
        while (block := _missing(entry)) is not None:
            fetch = _covering(entry, block) or _begin(filling, entry, block, entry.count)
            if fetch is None:
                return False
            await entry.change()
            if fetch.error is not None and not entry.has(block, block + 1):
                if fetch.is_unkept:
                    return False
                raise fetch.error
        return True
    finally:
        entry.readers -= 1
        filling.release(entry)


def _missing(entry: Entry) -> int | None:
    """The first block that is not here."""
    if entry.inline:
        return None if entry.has(0, 1) else 0
    end = entry.run(0, entry.count)
    return None if end == entry.count else end


def read_ahead(filling: Filling, entry: Entry, offset: int, length: int) -> None:
    """Fetches what a reader wants next that goes on where the one before it has stopped: each time twice as much."""
    is_sequential = entry.expected == offset
    entry.expected = offset + length
    if not is_sequential or entry.inline:
        entry.window = 0
        return
    entry.window = min(max(2 * entry.window, _LEAST_AHEAD), _MOST_AHEAD)
    first = blocks_of(entry.expected)
    last = min(first + entry.window, entry.count)
    if not entry.has(first, min(last, first + entry.window // 2)):
        for start, end in list(entry.gaps(first, last))[:_AT_ONCE]:
            filling.fetch(entry, start, end, ahead=True)


def _covering(entry: Entry, block: int) -> Fetch | None:
    return next((fetch for fetch in entry.fetches if fetch.next <= block < fetch.last), None)


def _begin(filling: Filling, entry: Entry, block: int, wanted: int) -> Fetch | None:
    """Fetches the gaps from ``block`` on, some at a time; the first of them. None: it cannot be kept."""
    if entry.gone and entry.file is None and not entry.inline:
        return None
    first: Fetch | None = None
    gaps = list(entry.gaps(block, wanted))
    for start, end in gaps[: max(1, _AT_ONCE - len(entry.fetches))]:
        fetch = filling.fetch(entry, start, end)
        first = first or fetch
    return first


async def _checked(filling: Filling, entry: Entry, first: int, last: int) -> bool:
    """Whether these blocks are what they were; those that are not are not here any more. Who asks is one of its readers."""
    try:
        if entry.handle is None:
            assert entry.file is not None  # noqa: S101  blocks are in a file
            entry.handle = filling.files.reopen(entry.file)
        span = entry.unchecked(first, last, time.time())
        if span is None:
            return True
        crcs, stamp = entry.crcs(*span), entry.stamp
        wrong = await damaged(entry.handle, span[0], entry.size, crcs)
    except OSError as error:
        log.warning("a file of the cache cannot be read, and is fetched again", extra={"error": str(error)})
        wrong, span, stamp = list(range(first, last)), (first, last), entry.stamp
    if wrong:
        log.warning("blocks of the cache are damaged, and are fetched again", extra={"blocks": len(wrong)})
        filling.lost(entry, wrong)
    if entry.stamp == stamp:  # else somebody has seen meanwhile that the file is another one
        entry.checked(*span)
    return not wrong


def _file_range(entry: Entry, offset: int, length: int) -> FileRange:
    assert entry.handle is not None  # noqa: S101  `_checked` has opened it
    return FileRange(os.fdopen(os.dup(entry.handle), "rb", 0), offset, length)


async def _past(filling: Filling, entry: Entry, position: int, end: int) -> AsyncGenerator[Piece, None]:
    """What cannot be kept goes by. Raises S3Error, Changed."""
    try:
        response = await get_range(filling.inner, entry, position, end - position)
    except Changed:
        await filling.drop(entry)
        raise
    left, skip = end - position, position - offset_of(response)
    pieces = pieces_of(response.body)
    try:
        async for piece in pieces:
            part = piece[skip : skip + left]
            skip = max(0, skip - len(piece))
            left -= len(part)
            if part:
                yield part
            if not left:
                return
    finally:
        await pieces.aclose()
    raise S3Error("InternalError", "The remote's answer broke off.")
