"""Clients that stop in the middle, at every place where they can: each connection ends, and says why where it can."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from multidict import CIMultiDict
from wire.malformed import chunks, put
from wire.rig import NORMAL, Recorder, connected, head, serving, still_works

from s3d.s3.message import S3Request, S3Response

IDLE = 0.2

HEADS = {
    "one byte": b"G",
    "half a request line": b"GET /bucket/k",
    "half a header": b"GET /bucket/key HTTP/1.1\r\nHost: loc",
    "all but the empty line": b"GET /bucket/key HTTP/1.1\r\nHost: localhost\r\n",
}

BODIES = {
    "no byte of the body": put(body=b"", length=11),
    "half a body": put(body=b"hello", length=11),
    "half a large body": put(body=b"x" * 300_000, length=400_000),
    "half a chunk": chunks(b"5\r\nhel"),
    "no last chunk": chunks(b"5\r\nhello\r\n"),
    "half an aws-chunk": head(
        "PUT /bucket/key",
        "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length: 11",
        "x-amz-trailer: x-amz-checksum-crc32",
        "Content-Length: 50",
    )
    + b"b\r\nhel",
    "never sent after 100 Continue": head("PUT /bucket/key", "Content-Length: 11", "Expect: 100-continue"),
}


async def test_a_connection_without_a_request_is_closed() -> None:
    async with serving(Recorder(), idle=IDLE) as server, connected(server.port) as client:
        assert await client.closed() == b""


@pytest.mark.parametrize("sent", HEADS.values(), ids=HEADS.keys())
async def test_a_head_that_stops(sent: bytes) -> None:
    recorder = Recorder()
    async with serving(recorder, idle=IDLE) as server:
        async with connected(server.port) as client:
            client.send(sent)
            answer = await client.answer()
            assert (answer.status, answer.closes) == (400, True)
            assert b"<Code>RequestTimeout</Code>" in answer.body
            assert len(answer.headers["x-amz-request-id"]) == 16
            assert await client.closed() == b""
        assert not recorder.received
        await still_works(server.port, recorder)


async def test_a_head_that_trickles() -> None:
    """Each byte comes in time, the head does not."""
    async with serving(Recorder(), idle=IDLE) as server, connected(server.port) as client:
        async with asyncio.timeout(5):
            while not client.reader.at_eof() and not client.reader._buffer:
                client.send(b"G")
                await asyncio.sleep(IDLE / 4)
        assert (await client.answer()).status == 400


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    recorder = Recorder()
    async with serving(recorder, idle=IDLE) as server, connected(server.port) as client:
        client.send(NORMAL)
        assert (await client.answer()).status == 200
        assert await client.closed() == b""


async def test_a_second_head_that_stops() -> None:
    recorder = Recorder()
    async with serving(recorder, idle=IDLE) as server, connected(server.port) as client:
        client.send(NORMAL)
        assert (await client.answer()).status == 200
        client.send(HEADS["half a header"])
        answer = await client.answer()
        assert (answer.status, answer.closes) == (400, True)
        assert b"<Code>RequestTimeout</Code>" in answer.body


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES.keys())
async def test_a_body_that_stops(sent: bytes) -> None:
    recorder = Recorder()
    async with serving(recorder, idle=IDLE) as server:
        async with connected(server.port) as client:
            client.send(sent)
            answer = await client.answer()
            if answer.status == 100:
                answer = await client.answer()
            assert (answer.status, answer.closes) == (400, True)
            assert b"<Code>RequestTimeout</Code>" in answer.body
        assert not recorder.received
        await still_works(server.port, recorder)


async def test_slow_is_not_stopped() -> None:
    """A body that takes longer than the idle time, but never pauses that long."""
    recorder = Recorder()
    async with serving(recorder, idle=IDLE) as server, connected(server.port) as client:
        client.send(put(body=b"", length=12))
        for _ in range(12):
            await asyncio.sleep(IDLE / 6)
            client.send(b"x")
        assert (await client.answer()).status == 200
        assert recorder.last.body == b"x" * 12


async def test_a_client_that_stops_reading_is_given_up() -> None:
    """Its answer would hold a connection to the remote for ever. One that reads a little now and then is not given up."""
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield bytes(1 << 16)
        finally:
            ended.set()

    async def backend(request: S3Request) -> S3Response:
        return S3Response(200, CIMultiDict(), endless())

    async with serving(backend, idle=1.0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 16)
        try:
            writer.write(head("GET /bucket/key"))
            for _ in range(12):  # slowly, over some idle times, and little of what the buffers of both kernels hold
                await asyncio.sleep(0.25)
                await reader.readexactly(1_600_000)
                assert not ended.is_set()
            async with asyncio.timeout(30):
                await ended.wait()
        finally:
            writer.transport.abort()
            await asyncio.sleep(0.05)


async def test_answers_that_nobody_reads_do_not_pile_up() -> None:
    """A client sends requests without reading; what it is owed must not grow with them."""
    answered = 0

    async def backend(request: S3Request) -> S3Response:
        nonlocal answered
        answered += 1
        return S3Response(200, CIMultiDict(), bytes(60_000))

    async with serving(backend) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 16)
        try:
            writer.write(head("GET /bucket/key") * 2000)
            await asyncio.sleep(1)
            assert answered < 500  # the buffers of both kernels and ours: some 10 MB of 120
            for _ in range(2000):
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(60_000)
            assert answered == 2000
        finally:
            writer.transport.abort()
            await asyncio.sleep(0.05)
