"""Sending a body: its pieces, the deadline that moves along, and whose fault a failure is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from s3d.remote.upload import Upload
from s3d.s3.errors import S3Error


class Body:
    length = 6
    replayable = False

    def __init__(self, *pieces: bytes | float | S3Error) -> None:
        """A number is a pause, an error is raised."""
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            elif isinstance(piece, S3Error):
                raise piece
            else:
                await asyncio.sleep(piece)


async def collect(upload: Upload) -> list[bytes]:
    data = upload.data()
    assert data is not None
    assert not isinstance(data, bytes)
    return [piece async for piece in data]


async def test_bytes() -> None:
    async with asyncio.timeout(None) as deadline:  # noqa: ASYNC100 - made to be moved
        assert Upload(b"abc", deadline, idle=1, response=2).data() == b"abc"
        assert deadline.when() is not None
    async with asyncio.timeout(None) as deadline:  # noqa: ASYNC100
        assert Upload(b"", deadline, idle=1, response=2).data() == b""


async def test_a_stream_has_the_deadline_of_the_answer_behind_it() -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as deadline:
        assert await collect(Upload(Body(b"abc", b"def"), deadline, idle=1000, response=5000)) == [b"abc", b"def"]
        when = deadline.when()
        assert when is not None
        assert 4000 < when - loop.time() <= 5000


async def test_while_the_sender_pauses_the_clock_stands() -> None:
    async with asyncio.timeout(0.05) as deadline:
        upload = Upload(Body(0.2, b"abc", 0.2, b"def"), deadline, idle=0.05, response=10)
        assert await collect(upload) == [b"abc", b"def"]


async def test_while_the_receiver_pauses_it_runs() -> None:
    async def receive() -> None:
        async with asyncio.timeout(None) as deadline:
            upload = Upload(Body(b"abc", b"def"), deadline, idle=0.05, response=10)
            async for _ in upload.data():
                await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        await receive()


async def test_the_senders_error_is_kept() -> None:
    error = S3Error("IncompleteBody")
    async with asyncio.timeout(None) as deadline:
        upload = Upload(Body(b"abc", error), deadline, idle=1, response=1)
        with pytest.raises(S3Error):
            await collect(upload)
        assert upload.failure is error
