"""Flow control towards a client. Slow readers and clients that go are in tests/wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from aiohttp.web import BaseRequest
from wire.rig import Client, connected, head, serving

from s3d.s3.message import S3Request, S3Response
from s3d.server import flow
from s3d.server.answer import Answer

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
    flow.write(http, bytes(flow.WRITE_BUFFER))
    assert not http.protocol.writing_paused


async def test_a_client_that_takes_nothing_is_given_up(pair: tuple[BaseRequest, Client]) -> None:
    http, _ = pair
    flow.write(http, MUCH)
    assert http.protocol.writing_paused
    with pytest.raises(ConnectionResetError, match="stopped reading"):
        await flow.until_resumed(http, 0.1)
    with pytest.raises(ConnectionResetError, match="gone"):
        flow.write(http, b"x")


async def test_reset(pair: tuple[BaseRequest, Client]) -> None:
    http, client = pair
    assert http.transport is not None
    assert flow.unsent(http.transport) == 0
    flow.reset(http.transport)
    with pytest.raises(ConnectionResetError):
        await client.reader.read()
