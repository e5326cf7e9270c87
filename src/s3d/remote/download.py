"""Receiving an answer: its head without hop-by-hop fields, and its body as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
from multidict import CIMultiDict

from s3d.remote.config import RemoteConfig
from s3d.s3.errors import RemoteUnreachable
from s3d.s3.headers import HOP_BY_HOP
from s3d.s3.message import S3Response

_WHOLE = 1 << 16  # bytes: a body up to here is read at once, so that it and its head leave in one write


async def read_response(reply: aiohttp.ClientResponse, config: RemoteConfig) -> S3Response:
    """The answer; a small body is read, a large one streams. Errors are those of the HTTP client."""
    headers = _end_to_end(reply, config)
    length = reply.headers.get("Content-Length")
    if reply.method == "HEAD" or (length is not None and int(length) <= _WHOLE):
        body: bytes | AsyncGenerator[bytes, None] = await _whole(reply)
    else:
        body = Download(reply, config.idle_timeout)
    return S3Response(reply.status, headers, body, reply.reason)


def _end_to_end(reply: aiohttp.ClientResponse, config: RemoteConfig) -> CIMultiDict[str]:
    named = reply.headers.get("Connection", "").lower()
    drop = HOP_BY_HOP if named in ("", "close", "keep-alive") else HOP_BY_HOP | {n.strip() for n in named.split(",")}
    keep_s3d = config.keep_s3d_headers
    headers = CIMultiDict(
        (name, raw_value.decode("utf-8", "surrogateescape"))
        for raw_name, raw_value in reply.raw_headers  # in the remote's own spelling: the parser writes Etag for ETag
        if (lower := (name := raw_name.decode()).lower()) not in drop and (keep_s3d or not lower.startswith("x-s3d-"))
    )
    if not keep_s3d:
        headers["x-s3d-state"] = "remote"
    return headers


async def _whole(reply: aiohttp.ClientResponse) -> bytes:
    """All of the body. Not by ``reply.read()``: that waits for the request's body to be sent, which an early refusal has
    made pointless."""
    try:
        body = await reply.content.read()
    except BaseException:
        reply.close()
        raise
    reply.release()
    return body


class Download(AsyncGenerator[bytes, None]):
    """A body that streams. Raises RemoteUnreachable when it stops early: the bytes so far must not look like an object.

    Not a generator function: closing one that was never begun would not give the connection back.
    """

    def __init__(self, reply: aiohttp.ClientResponse, idle: float) -> None:
        self._reply = reply
        self._idle = idle

    async def asend(self, _value: None) -> bytes:
        try:
            async with asyncio.timeout(self._idle):
                piece = await self._reply.content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._end()
            raise RemoteUnreachable(f"the remote's answer broke off: {error or type(error).__name__}") from error
        if not piece:
            self._end()
            raise StopAsyncIteration
        return piece

    async def athrow(self, kind: Any, value: Any = None, _trace: Any = None) -> bytes:
        self._end()
        raise kind if value is None else value

    def _end(self) -> None:
        """Gives the connection back, or closes it if there is more to come."""
        self._reply.release() if self._reply.content.is_eof() else self._reply.close()
