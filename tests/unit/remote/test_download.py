"""Receiving an answer. What remotes may do with theirs is in tests/wire."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from multidict import CIMultiDict

from s3d.remote.config import RemoteConfig
from s3d.remote.download import Download, read_response
from s3d.remote.raw_body import ReadAhead
from s3d.s3.errors import RemoteUnreachable
from s3d.s3.message import S3Response


class Reply:
    """The head of an answer, its payload, and what becomes of the connection."""

    def __init__(self, *pieces: bytes, end: bool = True, **headers: str) -> None:
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        raw = tuple((name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in named)
        parsed = CIMultiDict(named)
        chunked = "Transfer-Encoding" in parsed
        self.message = SimpleNamespace(code=200, reason="OK", raw_headers=raw, headers=parsed, chunked=chunked)
        loop = asyncio.get_running_loop()
        protocol = BaseProtocol(loop)
        protocol.transport = asyncio.Transport()  # it counts as connected
        self.payload = aiohttp.StreamReader(protocol, 1 << 16, loop=loop)
        for piece in pieces:
            self.payload.feed_data(piece)
        if end:
            self.payload.feed_eof()
        self.ended = ""
        self.connection = self

    def close(self) -> None:
        self.ended = "closed"

    def release(self) -> None:
        self.ended = self.ended or "released"


async def read(reply: Any, config: RemoteConfig | None = None) -> S3Response:
    return await read_response(reply, config or RemoteConfig(), ReadAhead())


async def download(reply: Reply, config: RemoteConfig | None = None) -> Download:
    body = (await read(reply, config)).body
    assert isinstance(body, Download)
    return body


async def test_a_small_body_is_read_at_once() -> None:
    reply = Reply(b"he", b"llo", Content_Length="5")
    response = await read(reply)
    assert (response.status, response.reason, response.body) == (200, "OK", b"hello")
    assert reply.ended == "released"


async def test_other_bodies_stream() -> None:
    reply = Reply(b"hello", end=False, Transfer_Encoding="chunked")
    body = await download(reply)
    assert reply.ended == ""
    assert await anext(body) == b"hello"
    reply.payload.feed_eof()
    assert [piece async for piece in body] == []
    assert reply.ended == "released"
    assert [piece async for piece in body] == [], "the end stays the end"


async def test_a_length_without_a_body() -> None:
    """The answer to HEAD: its payload is at its end from the beginning."""
    response = await read(Reply(Content_Length="5000000000"))
    assert (response.body, response.headers["Content-Length"]) == (b"", "5000000000")


async def test_headers() -> None:
    reply = Reply(ETag='"e"', x_amz_Meta_A="\udcff", Connection="X-Hop", X_Hop="1", Keep_Alive="1", x_s3d_cache="HIT")
    response = await read(reply)
    assert list(response.headers.items()) == [("ETag", '"e"'), ("x-amz-Meta-A", "\udcff"), ("x-s3d-state", "remote")]


async def test_what_an_s3d_says_is_kept_for_the_command_line() -> None:
    response = await read(Reply(x_s3d_state="pending"), RemoteConfig(keep_s3d_headers=True))
    assert dict(response.headers) == {"x-s3d-state": "pending"}


async def test_a_small_body_that_breaks_off() -> None:
    reply = Reply(b"he", end=False, Content_Length="5")
    reply.payload.set_exception(aiohttp.ClientPayloadError("broken"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await read(reply)
    assert reply.ended == "closed"


@pytest.mark.parametrize("error", [aiohttp.ClientPayloadError("broken"), OSError("reset")])
async def test_a_stream_that_breaks_off(error: Exception) -> None:
    reply = Reply(end=False)
    body = await download(reply)
    reply.payload.set_exception(error)
    with pytest.raises(RemoteUnreachable, match="broke off"):
        await anext(body)
    assert reply.ended == "closed"


async def test_a_stream_that_falls_silent() -> None:
    reply = Reply(end=False)
    body = await download(reply, RemoteConfig(idle_timeout=0.01))
    with pytest.raises(RemoteUnreachable, match="broke off: TimeoutError"):
        await anext(body)
    assert reply.ended == "closed"


async def test_a_stream_whose_reader_is_cancelled() -> None:
    reply = Reply(end=False)
    body = await download(reply)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(body), 0.01)
    assert reply.ended == "closed"


async def test_a_stream_that_was_never_begun_gives_its_connection_back() -> None:
    reply = Reply(b"hello", end=False)
    await (await download(reply)).aclose()
    assert reply.ended == "closed"
