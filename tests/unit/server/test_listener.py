"""Starting and stopping."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator

import pytest
from wire.rig import NORMAL, Recorder, connected, head, ok, serving

from s3d.s3.message import S3Request, S3Response
from s3d.server.config import ServerConfig
from s3d.server.listener import Server
from s3d.server.sockets import CannotListen


async def test_serves_between_start_and_stop() -> None:
    server = Server(Recorder(), ServerConfig("127.0.0.1", 0))
    assert not server.serving
    assert await server.stop(1) == 0
    await server.start()
    assert server.serving
    assert server.port > 0
    assert await server.stop(1) == 0
    assert not server.serving
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Server(Recorder(), ServerConfig("127.0.0.1", taken.getsockname()[1]))
        with pytest.raises(CannotListen):
            await server.start()
        assert await server.stop(1) == 0


async def test_localhost_is_one_port_on_all_its_addresses() -> None:
    server = Server(Recorder(), ServerConfig("localhost", 0))
    await server.start()
    for found in {info[4][0] for info in socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)}:
        reader, writer = await asyncio.open_connection(found, server.port)
        writer.write(NORMAL.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()
    await server.stop(1)


class Slow:
    """A Backend that answers when it is told to."""

    def __init__(self) -> None:
        self.begun, self.may_answer = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: S3Request) -> S3Response:
        self.begun.set()
        await self.may_answer.wait()
        return ok(b"done")


async def test_what_is_in_flight_is_finished() -> None:
    backend = Slow()
    server = Server(backend, ServerConfig("127.0.0.1", 0))
    await server.start()
    async with connected(server.port) as idle, connected(server.port) as client:
        client.send(head("GET /bucket/key"))
        await backend.begun.wait()
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(server.stop(10))
            assert await idle.closed() == b"", "idle connections are closed at once"
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", server.port)
            backend.may_answer.set()
            answer = await client.answer()
        assert (answer.body, answer.closes) == (b"done", True)
        assert stopping.result() == 0


async def test_an_answer_that_is_being_sent_is_finished() -> None:
    may_go_on = asyncio.Event()

    async def body() -> AsyncGenerator[bytes, None]:
        yield b"begin"
        await may_go_on.wait()
        yield b"end"

    async def backend(request: S3Request) -> S3Response:
        return S3Response(200, body=body())

    server = Server(backend, ServerConfig("127.0.0.1", 0))
    await server.start()
    async with connected(server.port) as client:
        client.send(head("GET /bucket/key"))
        begun = await client.reader.readuntil(b"begin")
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(server.stop(10))
            await asyncio.sleep(1.5)  # longer than what aiohttp itself waits
            may_go_on.set()
            assert (begun + await client.reader.read()).endswith(b"5\r\nbegin\r\n3\r\nend\r\n0\r\n\r\n")
        assert stopping.result() == 0


async def test_what_does_not_finish_in_time_is_cut_off() -> None:
    backend = Slow()
    server = Server(backend, ServerConfig("127.0.0.1", 0))
    await server.start()
    async with connected(server.port) as client:
        client.send(head("GET /bucket/key"))
        await backend.begun.wait()
        assert await server.stop(0.05) == 1
        assert await client.closed() == b""


async def test_many_connections_at_once() -> None:
    recorder = Recorder()
    async with serving(recorder) as server:

        async def one() -> None:
            async with connected(server.port) as client:
                client.send(NORMAL)
                assert (await client.answer()).status == 200

        async with asyncio.TaskGroup() as group:
            for _ in range(200):
                group.create_task(one())
    assert len(recorder.received) == 200
