"""Flow control towards a client. Slow readers and clients that go are in tests/wire."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aiohttp.web import BaseRequest
from wire.rig import Client, connected, head, serving

from s3d.s3.message import FileRange, S3Request, S3Response
from s3d.server import flow
from s3d.server.answer import Answer
from s3d.server.send_file import send_file

MUCH = bytes(30_000_000)
"""More than the buffers of both kernels hold."""


async def seen_by_the_server(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[tuple[BaseRequest, Client], None]:
    """A request in work, and the client that waits for its answer."""
    arrived: asyncio.Future[BaseRequest] = asyncio.get_running_loop().create_future()
    may_end = asyncio.Event()

    async def prepare(self: Answer, http: BaseRequest) -> None:
        arrived.set_result(http)
        await may_end.wait()

    async def backend(request: S3Request) -> S3Response:
        return S3Response(200)

    monkeypatch.setattr(Answer, "prepare", prepare)
    async with serving(backend) as server, connected(server.port) as client:
        client.send(head("GET /bucket/key"))
        yield await arrived, client
        may_end.set()


@pytest.fixture(name="pair")
async def _pair(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[tuple[BaseRequest, Client], None]:
    async for pair in seen_by_the_server(monkeypatch):
        yield pair


async def test_until_empty(pair: tuple[BaseRequest, Client]) -> None:
    """All has left for the kernel; after that the limits are the usual ones."""
    http, client = pair
    assert http.transport is not None
    flow.write(http, MUCH)
    assert http.transport.get_write_buffer_size() > 0
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(client.reader.readexactly(len(MUCH)))
        await flow.until_empty(http, 15)
        assert http.transport.get_write_buffer_size() == 0
    assert len(reading.result()) == len(MUCH)
    assert not http.protocol.writing_paused
    assert http.transport.get_write_buffer_limits()[1] == flow.WRITE_BUFFER


async def test_a_client_that_takes_nothing_is_given_up(pair: tuple[BaseRequest, Client]) -> None:
    http, _ = pair
    flow.write(http, MUCH)
    assert http.protocol.writing_paused
    with pytest.raises(ConnectionResetError, match="stopped reading"):
        await flow.until_resumed(http, 0.1)
    with pytest.raises(ConnectionResetError, match="gone"):
        flow.write(http, b"x")


async def test_a_slow_client_is_not_given_up(pair: tuple[BaseRequest, Client]) -> None:
    """What waits for it does not get below the limit for some idle times, but it gets less."""
    http, client = pair
    client.reader._limit = 1 << 16  # type: ignore[attr-defined]  # of what the stream reads ahead
    flow.write(http, MUCH)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(flow.until_resumed(http, 1))
        left = len(MUCH)
        for _ in range(12):
            await asyncio.sleep(0.25)
            left -= len(await client.reader.readexactly(400_000))
            assert not waiting.done()
        await client.reader.readexactly(left)


async def test_a_file_waits_for_what_was_written_before(
    pair: tuple[BaseRequest, Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel can have a little room while bytes wait in the transport: those of the file would overtake them."""
    http, client = pair
    waited: list[int] = []
    original = os.sendfile

    def watched(socket: int, file: int, offset: int, count: int) -> int:
        assert http.transport is not None
        waited.append(http.transport.get_write_buffer_size())
        return original(socket, file, offset, count)

    monkeypatch.setattr(os, "sendfile", watched)
    (tmp_path / "body").write_bytes(b"x" * 300_000)
    flow.write(http, MUCH)
    with (tmp_path / "body").open("rb") as file:
        async with asyncio.TaskGroup() as group:
            group.create_task(send_file(http, FileRange(file, 0, 300_000), 15, lambda count: None))
            assert await client.reader.readexactly(len(MUCH)) == MUCH
            assert await client.reader.readexactly(300_000) == b"x" * 300_000
    assert waited
    assert not any(waited)


async def test_reset(pair: tuple[BaseRequest, Client]) -> None:
    http, client = pair
    assert http.transport is not None
    assert flow.unsent(http.transport) == 0
    flow.reset(http.transport)
    with pytest.raises(ConnectionResetError):
        await client.reader.read()
