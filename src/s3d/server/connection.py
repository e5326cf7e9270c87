"""One client connection: aiohttp's handler, with S3's answers to what is not HTTP and with an end to slow heads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from s3d.s3.errors import S3Error, error_response
from s3d.server.access_log import new_request_id
from s3d.server.answer import Answer

_HEAD_LINE = 1 << 14  # bytes of the request line and of one header: session tokens in presigned URLs are long
_HEAD_FIELDS = 512
_READ_BUFFER = 1 << 18  # bytes read ahead, twice: large bodies move in fewer, larger pieces
_WRITE_BUFFER = 1 << 19  # bytes waiting for the client before the sender is paused

BrokenRequest = Callable[[web.BaseRequest, S3Error], Answer]


class Connection(RequestHandler):
    """A connection. ``broken`` makes the answer to something that is not an HTTP request."""

    __slots__ = ("_broken", "_head_begun")

    def __init__(self, manager: web.Server, broken: BrokenRequest, **options: Any) -> None:
        super().__init__(manager, **options)
        self._broken = broken
        self._head_begun = False

    @property
    def busy(self) -> bool:
        """Whether a request is being answered; the sending of the answer is a part of that."""
        return self._request_in_progress or bool(self._messages)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=_WRITE_BUFFER)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if data:
            self._head_begun = not self.busy  # what came was neither a whole head nor of a body
        if self._messages and isinstance(self._messages[-1][0], _ErrInfo):
            self._break_body(self._messages[-1][0].exc)

    def _break_body(self, error: BaseException) -> None:
        """What could not be parsed was inside a body: aiohttp's parser (3.14) leaves its reader to wait for the rest for
        ever, and would answer a second time. End the body instead; the request that it belongs to gets the answer."""
        if len(self._messages) > 1:
            body = self._messages[-2][1]
        elif self._current_request is not None:
            body = self._current_request.content
        else:
            return
        if not body.is_eof():
            self._messages.pop()
            body.set_exception(web.RequestPayloadError(str(error)))
            body.feed_eof()
            self.close()

    def _process_keepalive(self) -> None:
        """The idle time may be over: an idle connection closes; one that began a request head is told why.

        As aiohttp's own, which reads the clock for itself: two readings can disagree about the time being over.
        """
        self._keepalive_handle = None
        if self._force_close or not self._keepalive:
            return
        if self._loop.time() < self._next_keepalive_close_time:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        elif self._waiter is not None and not self._waiter.done():
            if self._head_begun and self.transport is not None:
                self.transport.write(_head_too_late())
            self.force_close()

    def log_exception(self, *args: Any, **options: Any) -> None:
        """What failed outside the pipeline. That a client left while the rest of its body was drained is no failure."""
        if self.transport is None and isinstance(options.get("exc_info"), RuntimeError):
            return
        super().log_exception(*args, **options)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> Any:
        """What could not be parsed as HTTP. (Errors of answering are the pipeline's; none come here.)"""
        if isinstance(exc, LineTooLong):
            error = S3Error("RequestHeaderSectionTooLarge")
        else:
            detail = (
                (message or str(exc)).splitlines()[0].rstrip(":")
                if isinstance(exc, BadHttpMessage)
                else "malformed request"
            )
            error = S3Error("BadRequest", f"The request is not valid HTTP: {detail}")
        return self._broken(request, error)


def _head_too_late() -> bytes:
    """The answer to a request whose head does not come to its end."""
    request_id = new_request_id()
    response = error_response(S3Error("RequestTimeout"), resource="", request_id=request_id)
    assert isinstance(response.body, bytes)  # noqa: S101  errors are small
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(response.body)}\r\n"
    head += f"x-amz-request-id: {request_id}\r\nDate: {formatdate(usegmt=True)}\r\nServer: s3d\r\n"
    head += "Content-Type: application/xml\r\nConnection: close\r\n\r\n"
    return head.encode() + response.body


class ConnectionFactory(web.Server):
    """Makes a `Connection` for each accepted socket."""

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[Any]], broken: BrokenRequest, idle: float
    ) -> None:
        super().__init__(handler)
        self._broken = broken
        self._idle = idle

    def __call__(self) -> RequestHandler:
        return Connection(
            self,
            self._broken,
            loop=self._loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=self._idle,
            lingering_time=10.0,
            max_line_size=_HEAD_LINE,
            max_field_size=_HEAD_LINE,
            max_headers=_HEAD_FIELDS,
            read_bufsize=_READ_BUFFER,
        )
