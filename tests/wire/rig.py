"""A server in this process, a Backend that remembers what it was asked, and a client that sends and reads raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from multidict import CIMultiDict

from s3d.s3.backend import Backend
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response, body_length
from s3d.server.config import ServerConfig
from s3d.server.listener import Server

PATIENCE = 15.0
"""Seconds after which something hangs. Nothing that works takes a tenth of it."""

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


class Broken(Exception):
    """What came is not one whole HTTP answer."""


@dataclass
class Received:
    """One request as it arrived at the Backend, its body whole."""

    request: S3Request
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.request.headers.items()}


@dataclass
class Recorder:
    """A Backend that takes each body in, remembers it if it was whole, and answers what ``answer`` says."""

    answer: Callable[[S3Request, bytes], S3Response] = lambda request, body: ok()
    received: list[Received] = field(default_factory=list)
    refused: list[S3Error] = field(default_factory=list)
    """What bodies raised while they were read."""

    async def __call__(self, request: S3Request) -> S3Response:
        if isinstance(request.body, bytes):
            body = request.body
        else:
            pieces = bytearray()
            try:
                async for piece in request.body:
                    pieces += piece
            except S3Error as error:
                assert len(pieces) < request.body.length, "a wrong body was handed out whole"
                self.refused.append(error)
                raise
            body = bytes(pieces)
        assert len(body) == body_length(request.body)
        self.received.append(Received(request, body))
        return self.answer(request, body)

    @property
    def last(self) -> Received:
        return self.received[-1]


def ok(body: bytes = b"", status: int = 200, **headers: str) -> S3Response:
    """An answer with a fixed date; ``_`` in header names is ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return S3Response(status, CIMultiDict({"Date": DATE, **named}), body)


@contextlib.asynccontextmanager
async def serving(
    backend: Backend, *, idle: float = PATIENCE, certificate: tuple[Path, Path] | None = None
) -> AsyncIterator[Server]:
    """A server on a free loopback port; with a certificate and its key (PEM files) it speaks TLS."""
    cert, key = certificate or (None, None)
    server = Server(backend, ServerConfig("127.0.0.1", 0, tls_cert=cert, tls_key=key, idle_timeout=idle))
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


@dataclass
class RawAnswer:
    """One HTTP answer as it came."""

    status: int
    reason: str
    headers: CIMultiDict[str]
    body: bytes = b""
    raw_head: bytes = b""

    @property
    def closes(self) -> bool:
        return self.headers.get("Connection", "").lower() == "close"


class Client:
    """One raw connection. What is read is checked for strict framing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        """Hands bytes to the kernel; there is room for a few hundred kilobytes."""
        if not self.writer.is_closing():
            self.writer.write(data)

    async def send_in(self, pieces: list[bytes], *, until_answered: bool = False) -> None:
        """Sends so that the server reads each piece on its own; if told so, no more once there is an answer."""
        for piece in pieces:
            if until_answered and (self.reader._buffer or self.reader.at_eof()):
                return
            self.send(piece)
            for _ in range(3):  # turns of the loop: the server's end of the connection is in the same loop
                await asyncio.sleep(0)

    async def answer(self, method: str = "GET") -> RawAnswer:
        """The next answer (an interim one too). Raises Broken for anything else, TimeoutError when none comes."""
        async with asyncio.timeout(PATIENCE):
            try:
                head = await self.reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                raise Broken(f"closed after {error.partial!r}") from error
            except ConnectionError as error:
                raise Broken(f"reset: {error}") from error
            answer = _parse_head(head)
            try:
                answer.body = await self._body(answer, method)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise Broken("the body ended early") from error
            return answer

    async def _body(self, answer: RawAnswer, method: str) -> bytes:
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return b""
        if "Content-Length" in answer.headers:
            assert "Transfer-Encoding" not in answer.headers
            return await self.reader.readexactly(int(answer.headers["Content-Length"]))
        if answer.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int((await self.reader.readuntil(b"\r\n")).strip(), 16):
                body += await self.reader.readexactly(size)
                assert await self.reader.readexactly(2) == b"\r\n"
            assert await self.reader.readexactly(2) == b"\r\n"
            return body
        assert answer.closes, "neither a length nor the end of the connection ends this body"
        return await self.reader.read()

    async def closed(self) -> bytes:
        """What still comes until the server closes. Raises TimeoutError if it does not."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


def _parse_head(head: bytes) -> RawAnswer:
    first, *lines = head[:-4].split(b"\r\n")
    version, status, reason = first.decode().split(" ", 2)
    assert version == "HTTP/1.1"
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        assert b"\r" not in line
        assert b"\n" not in line
        name, colon, value = line.decode("utf-8", "surrogateescape").partition(": ")
        assert colon, line
        headers.add(name, value)
    for name in ("Content-Length", "Transfer-Encoding", "Date", "Connection"):
        assert len(headers.getall(name, [])) <= 1, head
    return RawAnswer(int(status), reason, headers, raw_head=head)


@contextlib.asynccontextmanager
async def connected(port: int, *, trusted: Path | None = None) -> AsyncIterator[Client]:
    """A raw connection to a port of loopback; through TLS if a certificate (PEM file) is trusted."""
    tls = ssl.create_default_context(cafile=trusted) if trusted else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22, ssl=tls)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


NORMAL = b"GET /normal/key HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def still_works(port: int, recorder: Recorder) -> None:
    """Asserts that a normal request on a new connection is answered."""
    async with connected(port) as client:
        await works_on(client, recorder)


async def works_on(client: Client, recorder: Recorder) -> None:
    """Asserts that a normal request on this connection is answered."""
    seen = len(recorder.received)
    client.send(NORMAL)
    answer = await client.answer()
    assert answer.status == 200
    assert len(recorder.received) == seen + 1
    assert recorder.last.request.key == "key"


def head(line: str, *fields: str, host: str | None = "localhost") -> bytes:
    """The head of a request: its line, Host, and the fields."""
    first = [f"{line} HTTP/1.1"] + ([f"Host: {host}"] if host is not None else [])
    return "\r\n".join([*first, *fields, "", ""]).encode("utf-8", "surrogateescape")
