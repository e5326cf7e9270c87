"""Bodies that come from files, by every way that they take: whole, in order, never more than one answer's, and closed."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from multidict import CIMultiDict
from wire import certificate
from wire.rig import NORMAL, PATIENCE, Broken, Client, connected, head, ok, serving

from s3d.s3.errors import S3Error
from s3d.s3.message import FileRange, ResponseBody, S3Request, S3Response
from s3d.server import send_file
from s3d.server.listener import Server

SIZE = 5_000_011
BIG = 1 << 26
"""More than the buffers of both kernels hold."""
WAYS = ("memory", "disk", "no sendfile here", "no sendfile", "tls")
"""Sent from the page cache; from the disk; by a file system or a system that has no sendfile; through TLS."""

GET = head("GET /bucket/key")
Body = Callable[[], ResponseBody]


class Files:
    """A Backend that answers with bodies made of one file; requests for another bucket get ``ok``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = os.urandom(SIZE)
        path.write_bytes(self.data)
        self.opened: list[BinaryIO] = []
        self.body: Body = lambda: self.part(0, SIZE)
        self.headers: dict[str, str] = {}

    async def __call__(self, request: S3Request) -> S3Response:
        if request.bucket != "bucket":
            return ok(b"small")
        return S3Response(200, CIMultiDict(self.headers), self.body())

    def part(self, offset: int, length: int) -> FileRange:
        self.opened.append(self.path.open("rb"))
        return FileRange(self.opened[-1], offset, length)

    @property
    def all_closed(self) -> bool:
        return all(file.closed for file in self.opened)


def descriptors() -> set[tuple[str, str]]:
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
        except FileNotFoundError:  # the one that listed
            continue
    return found


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    """All files are closed in the end, and nothing else is left open."""
    before = descriptors()
    backend = Files(tmp_path / "body")
    yield backend
    assert backend.all_closed
    left = {name for _, name in descriptors() - before if name.startswith(("socket:", str(tmp_path)))}
    assert not left


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    taken: str = request.param

    def refuses(*_: int) -> int:
        raise OSError(22, "Invalid argument")

    if taken != "memory":
        monkeypatch.setattr(send_file, "read_small", lambda head, body: None)
    if taken == "disk":
        monkeypatch.setattr(send_file, "_in_memory", lambda *_: False)
    if taken == "no sendfile here":
        monkeypatch.setattr(os, "sendfile", refuses)
    if taken == "no sendfile":
        monkeypatch.delattr(os, "sendfile")
    return taken


@asynccontextmanager
async def conversation(files: Files, way: str, pem: tuple[Path, Path]) -> AsyncIterator[tuple[Server, Client]]:
    tls = way == "tls"
    async with (
        serving(files, certificate=pem if tls else None) as server,
        connected(server.port, trusted=pem[0] if tls else None) as client,
    ):
        yield server, client


async def quiet(server: Server) -> None:
    """Returns once no request is in flight."""
    async with asyncio.timeout(PATIENCE):
        while server.pipeline.access_log.document()["in_flight"]:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, SIZE),
        (1, SIZE - 2),
        (524_287, 524_290),
        (999_999, 3_000_001),
        (SIZE - 1, 1),
        (77, 65_536),
        (5, 65_537),
        (9, 0),
    ],
)
async def test_ranges(files: Files, way: str, pem: tuple[Path, Path], offset: int, length: int) -> None:
    files.body = lambda: files.part(offset, length)
    async with conversation(files, way, pem) as (server, client):
        for _ in range(2):
            client.send(GET)
            answer = await client.answer()
            assert answer.headers["Content-Length"] == str(length)
            assert answer.body == files.data[offset : offset + length]
            client.send(NORMAL)
            assert (await client.answer()).body == b"small"
        assert server.pipeline.access_log.document()["bytes_out"] == 2 * (length + 5)


async def test_pipelined(files: Files, way: str, pem: tuple[Path, Path]) -> None:
    async with conversation(files, way, pem) as (_, client):
        client.send((GET + NORMAL) * 3)
        for _ in range(3):
            assert (await client.answer()).body == files.data
            assert (await client.answer()).body == b"small"


async def test_many_at_once(files: Files) -> None:
    offsets = iter(range(0, 4_000_000, 100_003))
    files.body = lambda: files.part(next(offsets), 1_000_000)
    async with serving(files) as server:

        async def one() -> bytes:
            async with connected(server.port) as client:
                client.send(GET)
                return (await client.answer()).body

        bodies = await asyncio.gather(*[one() for _ in range(30)])
    expected = [files.data[offset : offset + 1_000_000] for offset in range(0, 4_000_000, 100_003)][:30]
    assert sorted(bodies) == sorted(expected)


def chain(files: Files) -> AsyncGenerator[bytes | memoryview | FileRange, None]:
    async def pieces() -> AsyncGenerator[bytes | memoryview | FileRange, None]:
        yield b"<"
        yield files.part(0, 2_000_003)
        yield b""
        yield memoryview(b"between")
        yield files.part(11, 0)
        yield files.part(2_000_003, 70_000)
        yield files.part(2_070_003, SIZE - 2_070_003)
        yield b">"

    return pieces()


@pytest.mark.parametrize("known_length", [True, False])
async def test_a_chain_of_files(files: Files, way: str, pem: tuple[Path, Path], known_length: bool) -> None:
    expected = b"<" + files.data[:2_000_003] + b"between" + files.data[2_000_003:] + b">"
    files.body = lambda: chain(files)
    files.headers = {"Content-Length": str(len(expected))} if known_length else {}
    async with conversation(files, way, pem) as (_, client):
        client.send((GET + NORMAL) * 2)
        for _ in range(2):
            assert (await client.answer()).body == expected
            assert (await client.answer()).body == b"small"
        assert files.all_closed
        client.send(GET.replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (await client.answer()).body == expected


async def test_a_file_does_not_overtake_bytes(files: Files, way: str, pem: tuple[Path, Path]) -> None:
    """More bytes come before it than the kernel takes, and the client begins late."""
    first = os.urandom(1 << 24)

    async def pieces() -> AsyncGenerator[bytes | FileRange, None]:
        for _ in range(2):
            yield first
            yield files.part(0, SIZE)

    files.body = pieces
    files.headers = {"Content-Length": str(2 * (len(first) + SIZE))}
    async with conversation(files, way, pem) as (_, client):
        _narrow(client)
        client.send(GET)
        await asyncio.sleep(0.1)
        assert (await client.answer()).body == (first + files.data) * 2


@pytest.mark.parametrize("kind", ["part", "chain", "bytes"])
async def test_head_has_no_body(files: Files, kind: str) -> None:
    bodies: dict[str, Body] = {
        "part": lambda: files.part(3, 99),
        "chain": lambda: chain(files),
        "bytes": lambda: b"x" * 99,
    }
    files.body = bodies[kind]
    files.headers = {} if kind == "part" else {"Content-Length": "99"}
    async with serving(files) as server, connected(server.port) as client:
        client.send(head("HEAD /bucket/key") + NORMAL)
        assert (await client.answer("HEAD")).headers["Content-Length"] == "99"
        assert (await client.answer()).body == b"small"


async def test_a_slow_reader(files: Files, way: str, pem: tuple[Path, Path]) -> None:
    """Takes a little each time, over some idle times: it gets all, and the answer waits in the kernel, not here."""
    _big(files)
    tls = way == "tls"
    async with (
        serving(files, idle=1.0, certificate=pem if tls else None) as server,
        connected(server.port, trusted=pem[0] if tls else None) as client,
    ):
        _narrow(client)
        client.send(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        assert server._factory is not None
        (connection,) = server._factory.connections
        taken = b""
        for _ in range(15):
            await asyncio.sleep(0.2)
            taken += await client.reader.readexactly(400_000)
            assert connection.transport is not None, "given up"
            assert connection.transport.get_write_buffer_size() < 2_000_000
        assert taken[:SIZE] == files.data
        left = BIG - len(taken)
        while left:
            left -= len(await client.reader.readexactly(min(left, 1 << 20)))


def _narrow(client: Client) -> None:
    """Little room on the client's side, so that what it does not read is the server's to keep."""
    sock: socket.socket = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    client.reader._limit = 1 << 16  # type: ignore[attr-defined]  # of what the stream reads ahead


def _big(files: Files) -> None:
    """Makes the file larger than what the buffers of both kernels hold, without taking room on the disk."""
    os.truncate(files.path, BIG)
    files.body = lambda: files.part(0, BIG)


async def test_a_client_that_stops_reading_is_given_up(files: Files, way: str, pem: tuple[Path, Path]) -> None:
    _big(files)
    tls = way == "tls"
    async with (
        serving(files, idle=1.0, certificate=pem if tls else None) as server,
        connected(server.port, trusted=pem[0] if tls else None) as client,
    ):
        _narrow(client)
        client.send(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await quiet(server)
        assert files.all_closed
        assert server.pipeline.access_log.document()["bytes_out"] < BIG


@pytest.mark.parametrize("reset", [True, False])
async def test_a_client_that_goes(files: Files, way: str, pem: tuple[Path, Path], reset: bool) -> None:
    _big(files)
    async with conversation(files, way, pem) as (server, client):
        client.send(GET)
        await client.reader.readexactly(300_000)
        if reset:
            sock: socket.socket = client.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.writer.transport.abort()
        await quiet(server)
        assert files.all_closed
        assert server.pipeline.access_log.document()["bytes_out"] < BIG


async def test_a_client_that_goes_while_it_does_not_read(files: Files) -> None:
    """It is noticed at once, not after the idle time, which is long here."""
    _big(files)
    async with serving(files, idle=1000) as server, connected(server.port) as client:
        _narrow(client)
        client.send(GET)
        await client.reader.readuntil(b"\r\n\r\n")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.1)  # until the server waits
        sock: socket.socket = client.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.writer.transport.abort()
        await quiet(server)


@pytest.mark.parametrize("whole", [True, False])
async def test_a_file_that_is_shorter(
    files: Files, way: str, pem: tuple[Path, Path], whole: bool, expected_log: list[str]
) -> None:
    """The client cannot take what it got for the whole, and the daemon's log says so."""
    expected_log.append("an answer broke off")
    files.body = lambda: files.part(SIZE - 40, 50) if whole else chain(files)
    os.truncate(files.path, SIZE if whole else SIZE - 1)
    async with conversation(files, way, pem) as (server, client):
        client.send(GET + NORMAL)
        with pytest.raises((Broken, asyncio.IncompleteReadError)):
            await client.answer()
        assert b"small" not in await client.closed()
        assert server.pipeline.access_log.document()["answered"]["2xx"] == 1


async def test_a_file_truncated_while_it_is_sent(
    files: Files, way: str, pem: tuple[Path, Path], expected_log: list[str]
) -> None:
    expected_log.append("an answer broke off")
    _big(files)
    async with conversation(files, way, pem) as (_, client):
        client.send(GET + NORMAL)
        await client.reader.readexactly(1_000_000)
        os.truncate(files.path, 1_000_000)
        assert b"HTTP/1.1" not in await client.closed()


async def test_a_file_that_cannot_be_read(
    files: Files, expected_log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: int) -> int:
        raise OSError(5, "Input/output error")

    expected_log.append("an answer broke off")
    monkeypatch.setattr(os, "sendfile", broken)
    async with serving(files) as server, connected(server.port) as client:
        client.send(GET)
        with pytest.raises(Broken):
            await client.answer()
        await quiet(server)


async def test_a_chain_that_breaks_off(files: Files, expected_log: list[str]) -> None:
    expected_log.append("an answer broke off")
    ended: list[str] = []

    async def pieces() -> AsyncGenerator[bytes | FileRange, None]:
        try:
            yield files.part(0, 100_000)
            raise S3Error("InternalError", "gone")
        finally:
            ended.append("closed")

    files.body = pieces
    async with serving(files) as server, connected(server.port) as client:
        client.send(GET + NORMAL)
        with pytest.raises(Broken):
            await client.answer()
        assert ended == ["closed"]


async def test_a_length_that_is_not_the_one_said(files: Files, expected_log: list[str]) -> None:
    expected_log.append("an answer broke off")
    for length in (20, 200_000):
        files.body = lambda length=length: files.part(0, length)  # type: ignore[misc]
        files.headers = {"Content-Length": str(length - 1)}
        async with serving(files) as server, connected(server.port) as client:
            client.send(GET + NORMAL)
            assert (await client.closed()).count(b"HTTP/1.1") == 1


async def test_stopped_in_the_middle(files: Files, way: str, pem: tuple[Path, Path]) -> None:
    _big(files)
    async with conversation(files, way, pem) as (server, client):
        client.send(GET)
        await client.reader.readexactly(300_000)
        assert await server.stop(0) == 1
        assert files.all_closed
