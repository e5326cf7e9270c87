"""One client connection: aiohttp's handler, with S3's answers to what is not HTTP and with an end to slow heads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import StreamWriter
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import ERROR, RequestHandler, _ErrInfo

from s3d.s3.errors import S3Error, error_response
from s3d.server.access_log import new_request_id
from s3d.server.answer import Answer
from s3d.server.flow import WRITE_BUFFER

log = logging.getLogger("s3d.server")

_HEAD_LINE = 1 << 14  # bytes of the request line and of one header: session tokens in presigned URLs are long
_HEAD_FIELDS = 512
_READ_BUFFER = 1 << 18  # bytes read ahead, twice: large bodies move in fewer, larger pieces

BrokenRequest = Callable[[web.BaseRequest, S3Error], Answer]


class Connection(RequestHandler):
    """A connection. ``broken`` makes the answer to something that is not an HTTP request."""

    __slots__ = ("_broken", "_head_begun", "_writer")

    def __init__(self, manager: web.Server, broken: BrokenRequest, **options: Any) -> None:
        super().__init__(manager, **options)
        self._broken = broken
        self._writer = StreamWriter(self, self._loop)
        self._head_begun = False

    @property
    def busy(self) -> bool:
        """Whether a request is being answered; the sending of the answer is a part of that."""
        return self._request_in_progress or bool(self._messages)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=WRITE_BUFFER)

    async def start(self) -> None:
        """Answers the requests of this connection, one after the other.

        In place of aiohttp's own (3.14), which is made for any kind of handler and answer: for each request a task, a
        writer and four coroutines around it, which small requests feel. What other methods of it rely on is kept.
        """
        try:
            while not self._force_close:
                if not self._messages:
                    await self._next_message()
                if not await self._serve(*self._take_message()):
                    break
                self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
                if self._keepalive_handle is None:
                    self._keepalive_handle = self._loop.call_at(
                        self._next_keepalive_close_time, self._process_keepalive
                    )
        except Exception:
            log.exception("a connection failed inside the daemon")
            self.force_close()
        except BaseException:
            self.force_close()
            raise
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    async def _next_message(self) -> None:
        """Waits for a request."""
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _take_message(self) -> tuple[RawRequestMessage | _ErrInfo, StreamReader]:
        """The next request; lets the parser go on if it had stopped because too many waited."""
        taken = self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        return taken

    async def _serve(self, message: RawRequestMessage | _ErrInfo, payload: StreamReader) -> bool:
        """Answers one request. Says whether another may follow."""
        task = self._task_handler or asyncio.current_task()
        head = ERROR if isinstance(message, _ErrInfo) else message
        request = web.BaseRequest(head, payload, self, self._writer, task, self._loop)  # type: ignore[arg-type]
        self._request_in_progress = True
        try:
            if isinstance(message, _ErrInfo):
                answer = self.handle_error(request, message.status, message.exc, message.message)
            else:
                answer = await self._ask(request)
            if not self._upgraded:
                await answer.prepare(request)
            elif (await self.finish_response(request, answer, None))[1]:  # goes on with what was held back for a tunnel
                return False
        except ConnectionError:
            return False  # the client has gone, or must not take for whole what it got
        finally:
            self._request_in_progress = False
            if self._handler_waiter is not None:
                self._handler_waiter.set_result(None)
        self._keepalive = answer.keep_alive
        if not payload.is_eof():
            await self._drain_body(payload)
        return self._keepalive and not self._close and not self._force_close

    async def _ask(self, request: web.BaseRequest) -> Any:
        self._current_request = request
        try:
            return await self._manager.request_handler(request)  # type: ignore[union-attr]  # None only once it is lost
        finally:
            self._current_request = None

    async def _drain_body(self, payload: StreamReader) -> None:
        """Reads the rest of a body that nobody wanted: a client that still sends would get RST in place of the answer."""
        with contextlib.suppress(TimeoutError, web.RequestPayloadError, HttpProcessingError):
            async with asyncio.timeout(self._lingering_time):
                while not payload.is_eof() and self.connected:
                    await payload.readany()
        if not payload.is_eof():
            self.close()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if data:
            self._head_begun = not self.busy  # what came was neither a whole head nor of a body
        if self._messages and isinstance(self._messages[-1][0], _ErrInfo):
            self._break_body(self._messages[-1][0].exc)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """What a body calls each time that it was read from: aiohttp's own goes on parsing also where nothing stopped."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

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
