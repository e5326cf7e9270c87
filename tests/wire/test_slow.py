"""Clients that stop in the middle, at every place where they can: each connection ends, and says why where it can."""

from __future__ import annotations

import asyncio

import pytest
from wire.malformed import chunks, put
from wire.rig import NORMAL, Recorder, connected, head, serving, still_works

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
