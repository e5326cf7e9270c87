"""One request on one connection. What remotes may answer is in tests/wire; here is what becomes of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import aiohttp
import pytest
from wire.raw_remote import OK, Conversation, RawRemote, Script, well

from s3d.remote.config import RemoteConfig
from s3d.remote.exchange import Reply, exchange
from s3d.remote.pool import Pool
from s3d.remote.upload import Upload
from s3d.s3.errors import S3Error
from s3d.s3.message import RequestBody

HEAD = b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"


class Stream:
    """A body that comes once; an error in it is raised."""

    replayable = False

    def __init__(self, length: int, *pieces: bytes | Exception) -> None:
        self.length, self._pieces = length, pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            await asyncio.sleep(0.005)
            yield piece


class Wire:
    """A pool and a remote that follows a script."""

    def __init__(self, *scripts: Script) -> None:
        self.raw = RawRemote(*scripts)

    async def __aenter__(self) -> Self:
        await self.raw.start()
        self.pool = Pool(RemoteConfig())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pool.close()
        await self.raw.stop()

    async def send(self, body: RequestBody, length: int) -> Reply:
        connection = await self.pool.connect(f"http://127.0.0.1:{self.raw.port}")
        async with asyncio.timeout(10) as deadline:
            return await exchange(connection, "PUT", HEAD % length, Upload(body, deadline, idle=5, response=5))


@pytest.mark.parametrize("body", [b"hello", Stream(5, b"he", b"llo")])
async def test_a_connection_serves_again(body: RequestBody) -> None:
    async with Wire(well) as wire:
        for sent in (body, b"hello"):
            reply = await wire.send(sent, 5)
            assert reply.message.code == 200
            assert await reply.payload.read() == b"hello"
            assert wire.raw.talks[0].body == b"hello"
            reply.connection.release()
        assert len(wire.raw.talks) == 1


async def test_a_body_that_fails_closes_its_connection() -> None:
    failure = S3Error("BadDigest")

    async def swallows(talk: Conversation) -> None:
        await talk.head()
        await talk.rest()

    async with Wire(swallows) as wire:
        with pytest.raises(S3Error) as caught:
            await wire.send(Stream(10, b"hello", failure), 10)
        assert caught.value is failure
        await wire.raw.until(lambda: wire.raw.talks[0].ended)
        assert wire.raw.talks[0].body == b"hello"


async def test_a_defect_in_a_body_is_not_taken_for_the_network() -> None:
    async with Wire(well) as wire:
        with pytest.raises(ZeroDivisionError):
            await wire.send(Stream(10, b"hello", ZeroDivisionError()), 10)


async def test_an_early_answer_ends_the_sending() -> None:
    async def refuses(talk: Conversation) -> None:
        await talk.head()
        talk.send(OK)
        await talk.rest()

    async with Wire(refuses) as wire:
        reply = await wire.send(Stream(10_000, *[b"x"] * 5000), 10_000)
        assert await reply.payload.read() == b"hello"
        reply.connection.release()
        await wire.raw.until(lambda: wire.raw.talks[0].ended)
        assert len(wire.raw.talks[0].body) < 10_000


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2"])
async def test_a_remote_that_closes(answer: bytes) -> None:
    async def closes(talk: Conversation) -> None:
        await talk.request()
        talk.send(answer)

    async with Wire(closes) as wire:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await wire.send(b"hello", 5)
