"""Large bodies that go round the parser."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from s3d.remote.raw_body import RawBody, ReadAhead

MIB = 1 << 20


class Transport:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.protocol: Any = None
        self.paused = self.closing = False

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def arrives(self, data: bytes) -> None:
        """What the event loop does with bytes from the socket."""
        while data:
            buffer = self.protocol.get_buffer(-1)
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            data = data[count:]
            self.protocol.buffer_updated(count)


class Rig:
    """A transport, and the reply that is being received on it."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.lost: list[BaseException | None] = []
        self.at_end = False
        self.handler = SimpleNamespace(
            transport=self.transport,
            connection_lost=self.lost.append,
            pause_writing=int,
            resume_writing=int,
            set_response_params=dict,
        )
        self.payload = SimpleNamespace(feed_eof=self._feed_eof)

    def _feed_eof(self) -> None:
        self.at_end = True

    def body(self, length: int, read_ahead: ReadAhead | None = None) -> RawBody:
        reply: Any = self
        return RawBody(reply, length, read_ahead or ReadAhead())


async def whole(body: RawBody) -> bytes:
    pieces = []
    while piece := await body.read(1):
        pieces.append(bytes(piece))
    return b"".join(pieces)


@pytest.mark.parametrize("size", [1, 100, 1 << 18, MIB, MIB - 1])
@pytest.mark.parametrize("step", [7_000, 200_000, MIB])
async def test_all_arrives_and_the_transport_goes_back(size: int, step: int) -> None:
    rig = Rig()
    body = rig.body(size)
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    for start in range(0, size, step):
        rig.transport.arrives(data[start : start + step])
    assert rig.transport.protocol is rig.handler
    assert rig.at_end
    assert await whole(body) == data
    assert await body.read(1) == b""


async def test_pieces_stay_as_they_are_while_somebody_has_them() -> None:
    """Buffers are used again, but not those of pieces that are still held."""
    rig = Rig()
    body = rig.body(64 * MIB)
    held = []
    for number in range(40):
        rig.transport.arrives(bytes([number]) * (1 << 18))
        piece = await body.read(1)
        if number % 3:
            held.append((number, piece))
        del piece
    assert all(bytes(piece) == bytes([number]) * (1 << 18) for number, piece in held)


async def test_a_slow_reader_pauses_the_remote() -> None:
    rig = Rig()
    body = rig.body(64 * MIB)
    for _ in range(7):
        rig.transport.arrives(b"x" * MIB)
    assert not rig.transport.paused
    rig.transport.arrives(b"x" * MIB)
    assert rig.transport.paused
    while rig.transport.paused:
        assert await body.read(1)
    assert 0 < body._buffered < 4 * MIB


async def test_downloads_share_what_they_read_ahead() -> None:
    shared = ReadAhead()
    bodies = [Rig().body(64 * MIB, shared) for _ in range(2)]
    assert shared.limit == 4 * MIB
    bodies += [Rig().body(64 * MIB, shared) for _ in range(6)]
    assert shared.limit == MIB
    bodies += [Rig().body(64 * MIB, shared) for _ in range(1000)]
    assert shared.limit == MIB // 2
    for body in bodies[1:]:
        body.connection_lost(None)
    rig = Rig()
    rig.body(10, shared)
    assert shared.downloads == 2
    rig.transport.arrives(b"0123456789")
    assert (shared.downloads, shared.limit) == (1, 8 * MIB)


async def test_nothing_behind_the_body_is_taken() -> None:
    rig = Rig()
    rig.body(10)
    assert len(rig.transport.protocol.get_buffer(-1)) == 10
    rig.transport.arrives(b"hello")
    assert len(rig.transport.protocol.get_buffer(-1)) == 5


@pytest.mark.parametrize("error", [None, ConnectionResetError("reset")])
async def test_a_connection_that_breaks(error: Exception | None) -> None:
    """What came is handed out first; then the break is told, not an end."""
    rig = Rig()
    body = rig.body(10)
    rig.transport.arrives(b"hello")
    rig.transport.protocol.eof_received()
    rig.transport.protocol.connection_lost(error)
    assert await body.read(1) == b"hello"
    with pytest.raises(aiohttp.ClientPayloadError if error is None else ConnectionResetError):
        await body.read(1)
    assert rig.lost == [error]


async def test_a_reader_that_waits_learns_of_the_break() -> None:
    rig = Rig()
    body = rig.body(10)
    asyncio.get_running_loop().call_later(0.01, rig.transport.protocol.connection_lost, None)
    with pytest.raises(aiohttp.ClientPayloadError, match="10 bytes of the body are missing"):
        await body.read(5)


async def test_silence() -> None:
    with pytest.raises(TimeoutError):
        await Rig().body(10).read(0.01)


async def test_a_connection_that_is_closed_already() -> None:
    rig = Rig()
    rig.transport.closing = True
    with pytest.raises(aiohttp.ClientPayloadError):
        rig.body(10)
