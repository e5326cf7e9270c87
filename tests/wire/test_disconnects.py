"""Clients that go away, at every stage and in both ways (orderly end, reset): nothing is left behind, nothing is whole."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from multidict import CIMultiDict
from wire.malformed import chunks, put
from wire.rig import PATIENCE, Client, Recorder, connected, head, ok, serving, still_works

from s3d.s3.message import S3Request, S3Response
from s3d.server.listener import Server

STAGES = {
    "before anything": b"",
    "in the request line": b"GET /buck",
    "in the headers": b"PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\nContent-Le",
    "before the body": put(body=b"", length=11),
    "in the body": put(body=b"hello", length=11),
    "in a large body": put(body=b"x" * 300_000, length=400_000),
    "in a body that goes to a file": chunks(b"200000\r\n" + b"x" * 0x180000),
    "in a chunk": chunks(b"5\r\nhel"),
    "between chunks": chunks(b"5\r\nhello\r\n"),
    "waiting for 100": head("PUT /bucket/key", "Content-Length: 11", "Expect: 100-continue"),
    "in a refused body": head("PUT /bucket/%zz", "Content-Length: 400000") + b"x" * 300_000,
}
ways = pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])


def go(client: Client, *, reset: bool) -> None:
    """Closes the connection; ``reset``: with RST, as a killed process or a firewall does."""
    if reset:
        sock: socket.socket = client.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.writer.transport.abort()
    else:
        client.writer.close()


async def quiet(server: Server) -> None:
    """Returns once no request is in flight."""
    async with asyncio.timeout(PATIENCE):
        while server.pipeline.access_log.document()["in_flight"]:
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def survived(recorder: Recorder) -> AsyncIterator[Server]:
    """A server that must be quiet and well afterwards, with no request for ``bucket`` received whole."""
    async with serving(recorder) as server:
        yield server
        await quiet(server)
        await still_works(server.port, recorder)
        assert all(received.request.bucket == "normal" for received in recorder.received)


@ways
@pytest.mark.parametrize("sent", STAGES.values(), ids=STAGES.keys())
async def test_while_sending(sent: bytes, reset: bool) -> None:
    recorder = Recorder()
    async with survived(recorder) as server, connected(server.port) as client:
        client.send(sent)
        await asyncio.sleep(0.02)  # the server begins to read
        go(client, reset=reset)


@ways
@pytest.mark.parametrize("sent", [s for s in STAGES.values() if s], ids=[n for n, s in STAGES.items() if s])
async def test_at_once(sent: bytes, reset: bool) -> None:
    """The end is there before the server has read the first byte."""
    recorder = Recorder()
    async with survived(recorder) as server:
        async with connected(server.port) as client:
            client.send(sent)
            go(client, reset=reset)
        await asyncio.sleep(0.02)


@ways
async def test_while_the_backend_works(reset: bool) -> None:
    recorder = Recorder()
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def backend(request: S3Request) -> S3Response:
        if request.bucket == "bucket":
            begun.set()
            await may_end.wait()
            return ok(b"too late")
        return await recorder(request)

    async with serving(backend) as server:
        async with connected(server.port) as client:
            client.send(head("GET /bucket/key"))
            await begun.wait()
            go(client, reset=reset)
        may_end.set()
        await quiet(server)
        await still_works(server.port, recorder)


@ways
@pytest.mark.parametrize("known_length", [True, False])
async def test_while_the_answer_is_sent(reset: bool, known_length: bool) -> None:
    """The stream that the answer comes from is closed: a connection to the remote hangs on it."""
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * (1 << 20)
        finally:
            closed.set()

    def answer(request: S3Request, body: bytes) -> S3Response:
        if request.bucket == "normal":
            return ok()
        return S3Response(200, CIMultiDict({"Content-Length": str(1 << 40)} if known_length else {}), endless())

    recorder = Recorder(answer)
    async with serving(recorder) as server:
        async with connected(server.port) as client:
            client.send(head("GET /bucket/key"))
            await client.reader.readexactly(1 << 20)
            go(client, reset=reset)
            async with asyncio.timeout(PATIENCE):
                await closed.wait()
        await quiet(server)
        await still_works(server.port, recorder)
