"""Each golden exchange, however its bytes arrive: whole, byte by byte, cut in two anywhere, and with another behind it."""

from __future__ import annotations

import pytest
from wire.exchange import OK, Exchange
from wire.golden import EXCHANGES
from wire.rig import NORMAL, Client, Recorder, connected, ok, serving

from s3d.s3.message import S3Request, S3Response
from s3d.server.connection import Connection

golden = pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
short = pytest.mark.parametrize(
    "exchange", [e for e in EXCHANGES if len(e.request) <= 600], ids=lambda exchange: exchange.name
)


def recorder_for(exchange: Exchange) -> Recorder:
    def answer(request: S3Request, body: bytes) -> S3Response:
        return ok() if request.bucket == "normal" else exchange.gives()

    return Recorder(answer)


def check_received(exchange: Exchange, recorder: Recorder) -> None:
    request, body = recorder.last.request, recorder.last.body
    assert (request.method, request.operation) == (exchange.method, exchange.operation)
    assert (request.bucket, request.key, request.query) == (exchange.bucket, exchange.key, exchange.query)
    assert recorder.last.headers == exchange.headers
    assert (body, request.payload_sha256) == (exchange.body, exchange.payload_sha256)
    assert len(request.request_id) == 16


async def check_answer(client: Client, exchange: Exchange) -> None:
    expected = exchange.interim + exchange.wire
    assert await client.reader.readexactly(len(expected)) == expected
    if exchange.closes:
        assert await client.closed() == b""


@golden
async def test_whole(exchange: Exchange) -> None:
    recorder = recorder_for(exchange)
    async with serving(recorder) as server, connected(server.port) as client:
        client.send(exchange.request)
        await check_answer(client, exchange)
        check_received(exchange, recorder)


@golden
async def test_byte_by_byte(exchange: Exchange) -> None:
    recorder = recorder_for(exchange)
    async with serving(recorder) as server, connected(server.port) as client:
        await client.send_in([exchange.request[i : i + 1] for i in range(len(exchange.request))])
        await check_answer(client, exchange)
        check_received(exchange, recorder)


@short
async def test_cut_in_two_anywhere(exchange: Exchange) -> None:
    """On one connection as long as it is kept; that also shows that nothing of one request is left for the next."""
    recorder = recorder_for(exchange)
    cuts = iter(range(1, len(exchange.request)))
    done = 0
    async with serving(recorder) as server:
        while done < len(exchange.request) - 1:
            async with connected(server.port) as client:
                for cut in cuts:
                    await client.send_in([exchange.request[:cut], exchange.request[cut:]])
                    await check_answer(client, exchange)
                    check_received(exchange, recorder)
                    done += 1
                    if exchange.closes:
                        break
    assert len(recorder.received) == done


@golden
async def test_with_another_behind_it(exchange: Exchange) -> None:
    recorder = recorder_for(exchange)
    async with serving(recorder) as server, connected(server.port) as client:
        client.send(exchange.request + NORMAL)
        if exchange.closes:
            await client.closed()
        else:
            await check_answer(client, exchange)
            assert await client.reader.readexactly(len(OK)) == OK
        seen = [received.request.bucket for received in recorder.received]
        assert seen == [exchange.bucket, "normal"] if not exchange.closes else "normal" not in seen


async def test_the_pieces_arrive_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests above rest on: each piece is one call of the server's protocol."""
    calls: list[bytes] = []
    original = Connection.data_received

    def data_received(self: Connection, data: bytes) -> None:
        calls.append(data)
        original(self, data)

    monkeypatch.setattr(Connection, "data_received", data_received)
    async with serving(Recorder()) as server, connected(server.port) as client:
        pieces = [NORMAL[i : i + 1] for i in range(len(NORMAL))]
        await client.send_in(pieces)
        assert await client.reader.readexactly(len(OK)) == OK
        assert calls == pieces
