"""Receiving an answer: its head without hop-by-hop fields, and its body as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
from multidict import CIMultiDict

from s3d.remote.config import RemoteConfig
from s3d.remote.exchange import Reply
from s3d.remote.raw_body import RawBody, ReadAhead
from s3d.s3.errors import RemoteUnreachable
from s3d.s3.headers import HOP_BY_HOP
from s3d.s3.message import S3Response

_WHOLE = 1 << 16  # bytes: a body up to here is read at once, so that it and its head leave in one write


async def read_response(reply: Reply, config: RemoteConfig, read_ahead: ReadAhead) -> S3Response:
    """The answer; a small body is read, a large one streams. Errors: aiohttp.ClientError, OSError; the connection is
    then closed."""
    message = reply.message
    headers = _end_to_end(message.raw_headers, config)
    length = headers.get("Content-Length")
    if reply.payload.is_eof() or (length is not None and int(length) <= _WHOLE):
        body: bytes | AsyncGenerator[bytes | memoryview, None] = await _whole(reply)
    else:
        body = Download(
            reply, None if length is None or message.chunked else int(length), config.idle_timeout, read_ahead
        )
    return S3Response(message.code, headers, body, message.reason)


def _end_to_end(raw: tuple[tuple[bytes, bytes], ...], config: RemoteConfig) -> CIMultiDict[str]:
    """In the remote's own spelling of names (the parser writes Etag for ETag) and with all bytes of values."""
    drop = HOP_BY_HOP
    keep_s3d = config.keep_s3d_headers
    headers: CIMultiDict[str] = CIMultiDict()
    named = ""
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("utf-8", "surrogateescape")
        lower = name.lower()
        if lower == "connection":
            named = f"{named},{value}"
        elif lower not in drop and (keep_s3d or not lower.startswith("x-s3d-")):
            headers.add(name, value)
    if named not in ("", ",keep-alive", ",close"):
        for name in named.split(","):
            headers.popall(name.strip(), None)
    if not keep_s3d:
        headers["x-s3d-state"] = "remote"
    return headers


async def _whole(reply: Reply) -> bytes:
    try:
        body = await reply.payload.read()
    except BaseException:
        reply.connection.close()
        raise
    reply.connection.release()
    return body


class Download(AsyncGenerator[bytes | memoryview, None]):
    """A body that streams. Raises RemoteUnreachable when it stops early: the bytes so far must not look like an object.

    Not a generator function: closing one that was never begun would not give the connection back.
    """

    def __init__(self, reply: Reply, length: int | None, idle: float, read_ahead: ReadAhead) -> None:
        self._reply = reply
        self._length = length
        self._idle = idle
        self._read_ahead = read_ahead
        self._raw: RawBody | None = None
        self._ended = False

    async def asend(self, _value: None) -> bytes | memoryview:
        """The next piece."""
        if self._ended:
            raise StopAsyncIteration
        try:
            piece = await (self._raw.read(self._idle) if self._raw is not None else self._parsed())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._end(whole=False)
            reason = str(error) or type(error).__name__
            raise RemoteUnreachable(f"the remote's answer broke off: {reason}") from error
        except BaseException:
            self._end(whole=False)
            raise
        if not piece:
            self._end(whole=True)
            raise StopAsyncIteration
        return piece

    async def athrow(self, kind: Any, value: Any = None, _trace: Any = None) -> bytes | memoryview:
        """Ends the download; how ``aclose`` does it."""
        self._end(whole=False)
        raise kind if value is None else value

    async def _parsed(self) -> bytes | memoryview:
        """What went through the parser: all of a body in chunks, of any other what came along with the head."""
        payload = self._reply.payload
        if self._length is None:
            async with asyncio.timeout(self._idle):
                return await payload.readany()
        begun = []
        while data := payload.read_nowait():  # taking it may let the parser go on, so until nothing comes
            begun.append(data)
        first = b"".join(begun)
        self._length -= len(first)
        if payload.is_eof() or not self._length:
            self._length = None
            return first
        self._raw = RawBody(self._reply, self._length, self._read_ahead)
        return first or await self._raw.read(self._idle)

    def _end(self, *, whole: bool) -> None:
        """Gives the connection back, or closes it if there is more to come."""
        self._ended = True
        self._reply.connection.release() if whole else self._reply.connection.close()
