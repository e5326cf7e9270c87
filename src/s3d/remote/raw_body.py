"""A large body of known length, read from the transport without a parser.

Inside such a body there is nothing to parse, but passing it through the parser and the stream reader copies each byte
three times: a fifth of all work of a large download. Here the kernel writes into the buffer that the client gets.
"""

from __future__ import annotations

import asyncio
from collections import deque
from sys import getrefcount

import aiohttp

from s3d.remote.exchange import Reply, expect_answer

_PIECE = 1 << 18  # bytes of a buffer: what the kernel gives at once under load
_LARGE_PIECE = 1 << 20  # where a download is alone: fewer steps, and the CPU is not needed for others
# Bytes that all downloads together may be ahead of their clients. One that is alone and that far ahead keeps the remote
# busy while its client is: 0.8 of the direct throughput instead of 0.76.
_SHARED = 8 << 20
_LEAST = 1 << 19
_UNSHARED = 2  # references to a buffer that only the deque knows: the deque's and that of the question


class ReadAhead:
    """What the downloads under way share: how far each may be ahead of its client."""

    def __init__(self) -> None:
        self.downloads = 0

    @property
    def limit(self) -> int:
        """Bytes for each."""
        return max(_LEAST, _SHARED // max(1, self.downloads))


class RawBody(asyncio.BufferedProtocol):
    """Takes over the transport of a reply for the ``remaining`` bytes of its body, and gives it back after them."""

    def __init__(self, reply: Reply, remaining: int, read_ahead: ReadAhead) -> None:
        self._read_ahead = read_ahead
        self._reply = reply
        self._remaining = remaining
        self._pieces: deque[bytes | memoryview] = deque()
        self._buffered = 0
        self._buffer = bytearray()
        self._handed_out: deque[bytearray] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._error: BaseException | None = None
        transport = reply.handler.transport
        if transport is None or transport.is_closing():
            raise aiohttp.ClientPayloadError("the connection closed in the middle of the body")
        self._transport = transport
        transport.set_protocol(self)
        read_ahead.downloads += 1

    async def read(self, idle: float) -> bytes | memoryview:
        """The next piece, ``b""`` at the end. Raises TimeoutError after ``idle`` seconds without any, and
        aiohttp.ClientError or OSError when the connection breaks."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if not self._remaining:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(idle):
                    await self._waiter
            finally:
                self._waiter = None
        piece = self._pieces.popleft()
        self._buffered -= len(piece)
        if self._paused and self._buffered < self._read_ahead.limit // 2 and self._remaining:
            self._paused = False
            self._transport.resume_reading()
        return piece

    def get_buffer(self, sizehint: int) -> bytearray:
        """A buffer to read into; never more than the body has left, so that nothing behind it is taken."""
        size = min(_LARGE_PIECE if self._read_ahead.limit == _SHARED else _PIECE, self._remaining)
        if len(self._buffer) != size:
            self._buffer = self._used_up(size) or bytearray(size)
        return self._buffer

    def _used_up(self, size: int) -> bytearray | None:
        """The oldest buffer that was handed out, once nobody holds a view of it: making and zeroing new ones is 6 % of
        a large download."""
        if self._handed_out and len(self._handed_out[0]) == size and getrefcount(self._handed_out[0]) == _UNSHARED:
            return self._handed_out.popleft()
        return None

    def buffer_updated(self, nbytes: int) -> None:
        """``nbytes`` have arrived."""
        self._remaining -= nbytes
        self._buffered += nbytes
        if nbytes * 2 < len(self._buffer):  # small reads are copied out: a queue of hardly filled buffers is memory
            self._pieces.append(bytes(memoryview(self._buffer)[:nbytes]))
        else:
            self._pieces.append(memoryview(self._buffer)[:nbytes])
            self._handed_out.append(self._buffer)
            if len(self._handed_out) * len(self._buffer) > self._read_ahead.limit // 2:
                self._handed_out.popleft()  # somebody keeps it
            self._buffer = bytearray()
        if not self._remaining:
            self._give_back()
        elif self._buffered >= self._read_ahead.limit and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """The remote ends early; `connection_lost` follows."""

    def connection_lost(self, error: BaseException | None) -> None:
        """The connection broke inside the body."""
        self._read_ahead.downloads -= 1
        message = f"{self._remaining} bytes of the body are missing"
        self._error = error or aiohttp.ClientPayloadError(message)
        self._reply.handler.connection_lost(error)
        self._wake()

    def pause_writing(self) -> None:
        """Nothing is being written while an answer is read, but the rest of a refused request may be in the way."""
        self._reply.handler.pause_writing()

    def resume_writing(self) -> None:
        """See `pause_writing`."""
        self._reply.handler.resume_writing()

    def _give_back(self) -> None:
        self._read_ahead.downloads -= 1
        self._transport.set_protocol(self._reply.handler)
        self._reply.payload.feed_eof()
        expect_answer(self._reply.handler)  # the old parser would swallow what comes unasked as the rest of this body

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
