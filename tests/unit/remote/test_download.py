"""Receiving an answer. What remotes may do with theirs is in tests/wire."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from multidict import CIMultiDict

from s3d.remote.config import RemoteConfig
from s3d.remote.download import Download, read_response
from s3d.s3.errors import RemoteUnreachable


class Reply:
    """What is used of the HTTP client's answer."""

    def __init__(self, *pieces: bytes, method: str = "GET", end: bool = True, **headers: str) -> None:
        self.method, self.status, self.reason = method, 200, "OK"
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.headers = CIMultiDict(named)
        self.raw_headers = tuple((name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in named)
        loop = asyncio.get_running_loop()
        self.content = aiohttp.StreamReader(BaseProtocol(loop), 1 << 16, loop=loop)
        for piece in pieces:
            self.content.feed_data(piece)
        if end:
            self.content.feed_eof()
        self.ended = ""

    def close(self) -> None:
        self.ended = "closed"

    def release(self) -> None:
        self.ended = self.ended or "released"


async def read(reply: Reply, config: RemoteConfig | None = None) -> Any:
    return await read_response(reply, config or RemoteConfig())  # type: ignore[arg-type]


async def test_a_small_body_is_read_at_once() -> None:
    reply = Reply(b"he", b"llo", Content_Length="5")
    response = await read(reply)
    assert (response.status, response.reason, response.body) == (200, "OK", b"hello")
    assert reply.ended == "released"


@pytest.mark.parametrize("headers", [{}, {"Content_Length": "100000"}])
async def test_other_bodies_stream(headers: dict[str, str]) -> None:
    reply = Reply(b"hello", **headers)
    response = await read(reply)
    assert isinstance(response.body, Download)
    assert reply.ended == ""
    assert [piece async for piece in response.body] == [b"hello"]
    assert reply.ended == "released"


async def test_head_has_a_length_but_no_body() -> None:
    response = await read(Reply(method="HEAD", Content_Length="5000000000"))
    assert (response.body, response.headers["Content-Length"]) == (b"", "5000000000")


async def test_headers() -> None:
    reply = Reply(
        ETag='"e"', x_amz_Meta_A="\udcff", Connection="X-Hop", X_Hop="1", Transfer_Encoding="chunked", x_s3d_cache="HIT"
    )
    response = await read(reply)
    assert list(response.headers.items()) == [("ETag", '"e"'), ("x-amz-Meta-A", "\udcff"), ("x-s3d-state", "remote")]


async def test_what_an_s3d_says_is_kept_for_the_command_line() -> None:
    response = await read(Reply(x_s3d_state="pending"), RemoteConfig(keep_s3d_headers=True))
    assert dict(response.headers) == {"x-s3d-state": "pending"}


async def test_a_small_body_that_breaks_off() -> None:
    reply = Reply(b"he", end=False, Content_Length="5")
    reply.content.set_exception(aiohttp.ClientPayloadError("broken"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await read(reply)
    assert reply.ended == "closed"


@pytest.mark.parametrize("error", [aiohttp.ClientPayloadError("broken"), OSError("reset")])
async def test_a_stream_that_breaks_off(error: Exception) -> None:
    reply = Reply(end=False)
    body = (await read(reply)).body
    reply.content.set_exception(error)
    with pytest.raises(RemoteUnreachable, match="broke off"):
        await anext(body)
    assert reply.ended == "closed"


async def test_a_stream_that_falls_silent() -> None:
    reply = Reply(end=False)
    body = (await read(reply, RemoteConfig(idle_timeout=0.01))).body
    with pytest.raises(RemoteUnreachable, match="broke off: TimeoutError"):
        await anext(body)
    assert reply.ended == "closed"


async def test_a_stream_that_was_never_begun_gives_its_connection_back() -> None:
    reply = Reply(b"hello", end=False)
    await (await read(reply)).body.aclose()
    assert reply.ended == "closed"


def test_the_double_has_what_the_client_has() -> None:
    assert all(hasattr(aiohttp.ClientResponse, name) for name in ("close", "release", "raw_headers", "headers"))
