"""Writing an answer on the connection, exactly as the Backend gave it.

aiohttp's own response classes add headers (Content-Type, Server) and encode what they are given; an answer that comes
from the remote must leave as it is. What is written here is the head and the framing; flow control is aiohttp's.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from array import array
from collections.abc import AsyncGenerator
from email.utils import formatdate
from http import HTTPStatus

from aiohttp.http_writer import StreamWriter
from aiohttp.web import BaseRequest

from s3d.s3.errors import S3Error
from s3d.s3.message import FileRange, S3Response

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_FILE_PIECE = 1 << 18  # bytes
_NO_BODY = frozenset({204, 304})


class Answer:
    """What aiohttp's connection handler takes for a response: it calls `prepare`, then `write_eof`."""

    def __init__(self, response: S3Response, *, keep_alive: bool, idle: float = 60.0) -> None:
        self.response = response
        self._idle = idle
        self.keep_alive = keep_alive
        self.sent = 0
        """Bytes of the body that were written."""
        self.whole = False
        """Everything was written."""
        self._ends_with_connection = False

    async def prepare(self, http: BaseRequest) -> None:
        """Writes the answer. Raises ConnectionError if the client went away, and whatever the body raises."""
        response, writer = self.response, http.writer
        assert isinstance(writer, StreamWriter)  # noqa: S101  aiohttp's server makes no other
        chunked = self._frame(http)
        head = self._head(http)
        body = response.body
        if isinstance(body, bytes):
            await writer.write(head + body if body else head, drain=False)
            if http.protocol.writing_paused:  # by this answer, or by those before it that nobody reads
                await self._drain(writer, http)
            self.sent = len(body)
        else:
            pieces: AsyncGenerator[bytes | memoryview, None] = (
                _file_pieces(body) if isinstance(body, FileRange) else body
            )
            try:
                await writer.write(head, drain=False)
                if chunked:
                    writer.enable_chunking()
                await self._send(pieces, writer, http)
                await writer.write_eof()
            except BaseException:
                if self._ends_with_connection and http.transport is not None:
                    _reset(http.transport)  # an orderly end would mean that this was all
                raise
            finally:
                await pieces.aclose()
                if isinstance(body, FileRange):
                    body.file.close()
        self.whole = True

    async def write_eof(self) -> None:
        """Nothing is left: `prepare` wrote all."""

    def _frame(self, http: BaseRequest) -> bool:
        """Sets Content-Length where the length is known; says whether the body goes in chunks."""
        headers, body = self.response.headers, self.response.body
        if "Content-Length" in headers or http.method == "HEAD" or self.response.status in _NO_BODY:
            return False
        if isinstance(body, bytes):
            headers["Content-Length"] = str(len(body))
            return False
        if isinstance(body, FileRange):
            headers["Content-Length"] = str(body.length)
            return False
        if http.version >= (1, 1):
            headers["Transfer-Encoding"] = "chunked"
            return True
        self.keep_alive = False  # HTTP/1.0 knows the end of such a body by the end of the connection
        self._ends_with_connection = True
        return False

    def _head(self, http: BaseRequest) -> bytes:
        response, headers = self.response, self.response.headers
        if not self.keep_alive:
            headers["Connection"] = "close"
        elif http.version < (1, 1):
            headers["Connection"] = "keep-alive"
        if "Date" not in headers:
            headers["Date"] = formatdate(usegmt=True)
        reason = response.reason if response.reason is not None else _REASONS.get(response.status, "")
        lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")

    async def _send(
        self, pieces: AsyncGenerator[bytes | memoryview, None], writer: StreamWriter, http: BaseRequest
    ) -> None:
        async for piece in pieces:
            await writer.write(piece, drain=False)
            self.sent += len(piece)
            if http.protocol.writing_paused:
                await self._drain(writer, http)
        said = self.response.headers.get("Content-Length")
        if said is not None and self.sent != int(said):  # going on would make the next answer a part of this one
            raise S3Error("InternalError", f"an answer of {said} bytes had {self.sent}")

    async def _drain(self, writer: StreamWriter, http: BaseRequest) -> None:
        """Waits for the client to read on. One that takes nothing at all for the idle time is given up, and with it the
        connection to the remote that waits behind it."""
        transport = http.transport
        waiting = _unsent(transport) if transport else 0
        while transport is not None and http.protocol.writing_paused:
            try:
                async with asyncio.timeout(self._idle):
                    await writer.drain()
            except TimeoutError as error:
                before, waiting = waiting, _unsent(transport)
                if waiting >= before:
                    transport.abort()
                    raise ConnectionResetError("the client has stopped reading") from error


def _unsent(transport: asyncio.Transport) -> int:
    """Bytes that the client has not taken: ours, and the kernel's, whose buffer of some MB would hide for minutes that a
    player takes 16 kB a second. (TIOCOUTQ, tcp(7): what is not acknowledged.)"""
    queued = array("i", [0])
    with contextlib.suppress(OSError):  # not on every system
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
    return transport.get_write_buffer_size() + queued[0]


def _reset(transport: asyncio.Transport) -> None:
    """Ends the connection with RST. ``abort`` alone lets the kernel end it in order."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _file_pieces(body: FileRange) -> AsyncGenerator[bytes | memoryview, None]:
    position, end = body.offset, body.offset + body.length
    while position < end:
        piece = await asyncio.to_thread(os.pread, body.file.fileno(), min(_FILE_PIECE, end - position), position)
        if not piece:
            raise ConnectionResetError("a file became shorter while it was sent")
        position += len(piece)
        yield piece
