"""A body on its way to the remote: compared with its MD5 before the first byte goes, read in pieces, as fast as wished."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Sequence

from s3d.local.bodies import Bodies, Segment
from s3d.local.errors import refused
from s3d.s3.message import RequestBody
from s3d.standalone.stored_body import StoredBody
from s3d.write_queue.outcome import Refusal

DAMAGED = "LocalDamage"
_PIECE = 1 << 20  # bytes
_LEAST = 4096  # bytes
_PULSE = 0.25
"""Seconds of the limit that go out at a time: servers give up on a connection that is silent for some 20 s."""
_LOOK = 1.0
"""Seconds between two looks at a limit of nothing."""


class Bandwidth:
    """Bytes per second of all pushes together. ``limit`` says how many there are now, None: no limit."""

    def __init__(self, limit: Callable[[], float | None] = lambda: None) -> None:
        self._limit = limit
        self._free_at = 0.0

    def piece(self) -> int:
        """How many bytes to take at a time."""
        limit = self._limit()
        return _PIECE if limit is None else max(_LEAST, min(_PIECE, int(limit * _PULSE)))

    async def take(self, size: int) -> None:
        """Returns when so many bytes may be sent."""
        while (limit := self._limit()) is not None and limit <= 0:
            await asyncio.sleep(_LOOK)
        if limit is None:
            return
        now = asyncio.get_running_loop().time()
        start = max(now, self._free_at)
        self._free_at = start + size / limit
        if start > now:
            await asyncio.sleep(start - now)


class PushedBody:
    """The bodies of one object or part, one after the other. Can be iterated again."""

    replayable = True

    def __init__(self, bodies: Bodies, segments: Sequence[Segment], bandwidth: Bandwidth) -> None:
        self.length = sum(segment.size for segment in segments)
        self._bodies = bodies
        self._segments = segments
        self._bandwidth = bandwidth

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if not self.length:
            return
        try:
            opened = self._bodies.read(self._segments, 0, self.length)
        except OSError as error:  # a failure of the network would be one, too, and another thing
            raise refused(error, "opening a body") from error
        async with StoredBody(opened, self.length) as content:
            async for read in content:
                start = 0
                while start < len(read):
                    piece = read[start : start + self._bandwidth.piece()]
                    await self._bandwidth.take(len(piece))
                    yield piece
                    start += len(piece)


async def request_body(bodies: Bodies, segments: Sequence[Segment], bandwidth: Bandwidth) -> RequestBody:
    """In memory if it is there already."""
    if len(segments) == 1 and segments[0].data is not None:
        await bandwidth.take(segments[0].size)
        return segments[0].data
    return PushedBody(bodies, segments, bandwidth) if segments else b""


async def check(bodies: Bodies, segments: Sequence[Segment], digests: Sequence[bytes]) -> None:
    """Raises Refusal (permanent) unless each body has its MD5: what the disk has damaged is never sent."""
    if len(segments) != len(digests):
        raise damage("a body is missing")
    for segment, expected in zip(segments, digests, strict=True):
        if segment.data is not None:
            found = hashlib.md5(segment.data, usedforsecurity=False).digest()
        else:
            found = await asyncio.to_thread(_digest, bodies, segment)
        if found != expected:
            raise damage("a body is not what was accepted")


def _digest(bodies: Bodies, segment: Segment) -> bytes:
    """Of a file. A file that is gone is damage; one that cannot be read now (too many open files) may be read later."""
    assert segment.file is not None  # noqa: S101  a body is one or the other
    hasher = hashlib.md5(usedforsecurity=False)
    try:
        handle = bodies.open_file(segment.file)
    except FileNotFoundError as error:
        raise damage("the file of a body is missing") from error
    except OSError as error:
        raise refused(error, "opening a body") from error
    try:
        while piece := os.read(handle, _PIECE):
            hasher.update(piece)
    except OSError as error:
        raise refused(error, "reading a body") from error
    finally:
        os.close(handle)
    return hasher.digest()


def damage(what: str) -> Refusal:
    return Refusal(DAMAGED, f"On this machine's disk {what}.", 500, permanent=True)
