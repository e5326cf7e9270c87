"""One client connection. Slow and broken heads are in tests/wire; here is what does not show on the wire."""

from __future__ import annotations

import asyncio

from wire.rig import NORMAL, Client, Recorder, connected, head, ok, serving

from s3d.s3.message import S3Request, S3Response
from s3d.server.connection import Connection
from s3d.server.listener import Server


def only_connection(server: Server) -> Connection:
    assert server._factory is not None
    (found,) = server._factory.connections
    assert isinstance(found, Connection)
    return found


async def accepted(server: Server, client: Client) -> Connection:
    client.send(NORMAL)
    assert (await client.answer()).status == 200
    return only_connection(server)


async def test_busy_while_a_request_is_answered() -> None:
    begun, may_answer = asyncio.Event(), asyncio.Event()

    async def backend(request: S3Request) -> S3Response:
        if request.bucket == "bucket":
            begun.set()
            await may_answer.wait()
        return ok()

    async with serving(backend) as server, connected(server.port) as client:
        connection = await accepted(server, client)
        assert not connection.busy
        client.send(head("GET /bucket/key"))
        await begun.wait()
        assert connection.busy
        may_answer.set()
        await client.answer()
        await asyncio.sleep(0)
        assert not connection.busy


async def test_a_broken_body_ends_with_one_answer() -> None:
    """The request that waits for the body learns of it at once, and nothing more is read on the connection."""
    recorder = Recorder()
    async with serving(recorder) as server, connected(server.port) as client:
        client.send(head("PUT /bucket/key", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
        await asyncio.sleep(0.02)
        client.send(b"nonsense\r\n" + NORMAL)
        answer = await client.answer()
        assert (answer.status, answer.closes) == (400, True)
        assert b"<Code>IncompleteBody</Code>" in answer.body
        assert await client.closed() == b""
        assert not recorder.received


async def test_garbage_behind_a_request_in_work_is_answered_after_it() -> None:
    async with serving(Recorder(lambda request, body: ok(b"first"))) as server, connected(server.port) as client:
        await client.send_in([NORMAL, b"nonsense\r\n\r\n"])
        assert (await client.answer()).body == b"first"
        assert (await client.answer()).status == 400
        assert await client.closed() == b""
