"""Receiving an answer: its head without hop-by-hop fields, and its body as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

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
        # Not reply.read(): that waits for the request's body to be sent, which an early refusal has made pointless.
        body: bytes | AsyncGenerator[bytes, None] = await reply.content.read()
        reply.release()
    else:
        body = _pieces(reply, config.idle_timeout)
    return S3Response(reply.status, headers, body, reply.reason)


def _end_to_end(reply: aiohttp.ClientResponse, config: RemoteConfig) -> CIMultiDict[str]:
    named = reply.headers.get("Connection", "").lower()
    drop = HOP_BY_HOP if named in ("", "close", "keep-alive") else HOP_BY_HOP | {n.strip() for n in named.split(",")}
    keep_s3d = config.keep_s3d_headers
    headers = CIMultiDict(
        (name, value)
        for name, value in reply.headers.items()
        if (lower := name.lower()) not in drop and (keep_s3d or not lower.startswith("x-s3d-"))
    )
    if not keep_s3d:
        headers["x-s3d-state"] = "remote"
    return headers


async def _pieces(reply: aiohttp.ClientResponse, idle: float) -> AsyncGenerator[bytes, None]:
    """The body. Raises RemoteUnreachable when it stops early: the bytes so far must not look like a whole object."""
    try:
        while True:
            async with asyncio.timeout(idle):
                piece = await reply.content.readany()
            if not piece:
                break
            yield piece
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise RemoteUnreachable(f"the remote's answer broke off: {error or type(error).__name__}") from error
    finally:
        reply.close() if not reply.content.is_eof() else reply.release()
