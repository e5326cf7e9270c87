"""Writing an answer on the connection, exactly as the Backend gave it.

aiohttp's own response classes add headers (Content-Type, Server) and encode what they are given; an answer that comes
from the remote must leave as it is. What is written here is the head and the framing.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp.web import BaseRequest

from s3d.s3.errors import S3Error
from s3d.s3.message import FileRange, ResponseBody, S3Response
from s3d.server import flow
from s3d.server.send_file import read_small, send_file

_REASONS = {status.value: status.phrase for status in HTTPStatus}
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
        body = self.response.body
        try:
            chunked = self._frame(http)
            head = self._head(http)
            whole = self._whole(http, head, body)
            if whole is None:
                flow.write(http, head)
                await self._send(http, body, chunked=chunked)
            else:
                flow.write(http, whole)
                self.sent = len(whole) - len(head)
            if not isinstance(body, bytes) and self._has_body(http):
                self._check_length()
            if http.protocol.writing_paused:  # by this answer, or by those before it that nobody reads
                await flow.until_resumed(http, self._idle)
        except BaseException:
            if self._ends_with_connection and http.transport is not None:
                flow.reset(http.transport)  # an orderly end would mean that this was all
            raise
        finally:
            if not isinstance(body, bytes):
                await release(body)
        self.whole = True

    async def write_eof(self) -> None:
        """Nothing is left: `prepare` wrote all."""

    def _has_body(self, http: BaseRequest) -> bool:
        return http.method != "HEAD" and self.response.status not in _NO_BODY

    def _whole(self, http: BaseRequest, head: bytes, body: ResponseBody) -> bytes | bytearray | None:
        """Head and body, so that they go in one write, if the body is in memory."""
        if not self._has_body(http):
            return head
        if isinstance(body, bytes):
            return head + body
        return read_small(head, body) if isinstance(body, FileRange) else None

    def _frame(self, http: BaseRequest) -> bool:
        """Sets Content-Length where the length is known; says whether the body goes in chunks."""
        headers, body = self.response.headers, self.response.body
        if "Content-Length" in headers or self.response.status in _NO_BODY:
            return False
        if isinstance(body, FileRange):
            headers["Content-Length"] = str(body.length)
            return False
        if http.method == "HEAD":
            return False
        if isinstance(body, bytes):
            headers["Content-Length"] = str(len(body))
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
            headers["Date"] = _http_date(int(time.time()))
        reason = response.reason if response.reason is not None else _REASONS.get(response.status, "")
        fields = "\r\n".join(map(": ".join, headers.items()))
        if fields.count("\n") != len(headers) - 1 or fields.count("\r") != len(headers) - 1:
            raise S3Error("InternalError", "a header of an answer has a line end in it")
        return f"HTTP/1.1 {response.status} {reason}\r\n{fields}\r\n\r\n".encode("utf-8", "surrogateescape")

    async def _send(self, http: BaseRequest, body: ResponseBody, *, chunked: bool) -> None:
        if isinstance(body, FileRange):
            await send_file(http, body, self._idle, self._count)
        elif not isinstance(body, bytes):
            async for piece in body:
                await self._send_piece(http, piece, chunked=chunked)
            if chunked:
                flow.write(http, b"0\r\n\r\n")

    def _check_length(self) -> None:
        said = self.response.headers.get("Content-Length")
        if said is not None and self.sent != int(said):  # going on would make the next answer a part of this one
            raise S3Error("InternalError", f"an answer of {said} bytes had {self.sent}")

    async def _send_piece(self, http: BaseRequest, piece: bytes | memoryview | FileRange, *, chunked: bool) -> None:
        if isinstance(piece, FileRange):
            with piece.file:
                if not piece.length:  # as a chunk it would be the last one
                    return
                if chunked:
                    flow.write(http, b"%x\r\n" % piece.length)
                await send_file(http, piece, self._idle, self._count)
            if chunked:
                flow.write(http, b"\r\n")
        elif piece:
            flow.write(http, b"".join((b"%x\r\n" % len(piece), piece, b"\r\n")) if chunked else piece)
            self._count(len(piece))
        if http.protocol.writing_paused:
            await flow.until_resumed(http, self._idle)

    def _count(self, sent: int) -> None:
        self.sent += sent


@lru_cache(1)
def _http_date(second: int) -> str:
    """The Date field (RFC 9110 section 6.6.1), made once a second."""
    return formatdate(second, usegmt=True)


async def release(body: ResponseBody) -> None:
    """Lets go what hangs on a body that is not wanted any more, or was sent: a file, a connection to the remote."""
    if isinstance(body, FileRange):
        body.file.close()
    elif not isinstance(body, bytes):
        await body.aclose()
