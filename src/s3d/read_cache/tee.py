"""A request's body on its way to the remote, kept as it passes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from s3d.local.block_files import BLOCK
from s3d.s3.message import RequestBody, body_length, is_replayable

_PIECE = 1 << 20
"""Bytes that are kept at a time."""

Keep = Callable[[int, bytes], Awaitable[None]]
"""Gets the number of a block, counted from the first of the body, and whole blocks (but for the last ones)."""


class Tee:
    """The same body; ``keep`` gets all of it."""

    def __init__(self, body: RequestBody, keep: Keep) -> None:
        self.length = body_length(body)
        self._body = body
        self._keep = keep
        self.passed = not self.length
        """Whether all of it was kept, and sent."""

    @property
    def replayable(self) -> bool:
        return is_replayable(self._body)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Also a second time: then all of it is kept again."""
        self.passed = not self.length
        buffer = bytearray()
        sent = block = 0
        async for piece in _pieces(self._body):
            if not piece:
                continue
            buffer += piece
            sent += len(piece)
            if len(buffer) >= _PIECE or sent == self.length:
                ready = len(buffer) if sent == self.length else len(buffer) - len(buffer) % BLOCK
                await self._keep(block, bytes(buffer[:ready]))
                del buffer[:ready]
                block += ready // BLOCK
                self.passed = sent == self.length
            yield piece


async def _pieces(body: RequestBody) -> AsyncIterator[bytes]:
    if not isinstance(body, bytes):
        async for piece in body:
            yield piece
        return
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]
