"""Sending files: what does not show on the wire. The rest is in tests/wire/test_files.py."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest
from multidict import CIMultiDict
from wire.rig import connected, head, serving

from s3d.s3.message import FileRange, S3Request, S3Response
from s3d.server import send_file

LENGTH = 4_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "body").write_bytes(os.urandom(LENGTH))
    return tmp_path / "body"


def test_small_parts_in_memory_are_read_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with path.open("rb") as file:
        data = path.read_bytes()
        assert send_file.read_small(b"head", FileRange(file, 7, 65_536)) == b"head" + data[7:65_543]
        assert send_file.read_small(b"head", FileRange(file, 7, 0)) == b"head"
        assert send_file.read_small(b"head", FileRange(file, 7, 65_537)) is None
        assert send_file.read_small(b"head", FileRange(file, LENGTH - 5, 6)) is None

        def on_disk(*_: object) -> int:
            raise BlockingIOError

        monkeypatch.setattr(os, "preadv", on_disk)
        assert send_file.read_small(b"head", FileRange(file, 7, 5)) is None
        monkeypatch.delattr(os, "RWF_NOWAIT")  # not on every system
        assert send_file.read_small(b"head", FileRange(file, 7, 5)) is None
        assert not send_file._in_memory(file.fileno(), 0, 5)


async def test_other_connections_have_their_turn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two calls the loop goes round, and a call does little."""
    turns, seen, lengths = 0, [], []
    original = os.sendfile

    def counted(socket: int, file: int, offset: int, count: int) -> int:
        seen.append(turns)
        lengths.append(count)
        return original(socket, file, offset, count)

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def backend(request: S3Request) -> S3Response:
        return S3Response(200, CIMultiDict(), FileRange(path.open("rb"), 0, LENGTH))

    monkeypatch.setattr(os, "sendfile", counted)
    async with serving(backend) as server, connected(server.port) as client, asyncio.TaskGroup() as group:
        counting = group.create_task(turn())
        client.send(head("GET /bucket/key"))
        assert len((await client.answer()).body) == LENGTH
        counting.cancel()
    assert len(seen) > 5
    assert seen == sorted(set(seen))
    assert max(lengths) <= 1 << 19


@pytest.mark.parametrize("others", [0, 1])
async def test_several_share_the_processors(path: Path, monkeypatch: pytest.MonkeyPatch, others: int) -> None:
    """One download runs on the event loop, several in threads."""
    on_the_loop: set[bool] = set()
    original = os.sendfile

    def noted(socket: int, file: int, offset: int, count: int) -> int:
        on_the_loop.add(threading.current_thread() is threading.main_thread())
        return original(socket, file, offset, count)

    async def backend(request: S3Request) -> S3Response:
        return S3Response(200, CIMultiDict(), FileRange(path.open("rb"), 0, LENGTH))

    monkeypatch.setattr(os, "sendfile", noted)
    monkeypatch.setattr(send_file._under_way, "number", others)
    async with serving(backend) as server, connected(server.port) as client:
        client.send(head("GET /bucket/key"))
        assert len((await client.answer()).body) == LENGTH
    assert on_the_loop == {others == 0}
    assert send_file._under_way.number == others


async def test_a_thread_has_descriptors_of_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is cancelled while its thread waits for the disk: the numbers of the connection and of the file may be
    given to others before the thread writes."""
    begun, may_go_on, done = threading.Event(), threading.Event(), threading.Event()
    used: list[tuple[int, int]] = []
    after: list[int] = []

    def waits(socket: int, file: int, offset: int, count: int) -> int:
        used.append((socket, file))
        begun.set()
        may_go_on.wait(10)
        after.append(os.fstat(file).st_ino)
        after.append(os.fstat(socket).st_mode)
        done.set()
        return count

    body = FileRange(path.open("rb"), 0, LENGTH)
    inode = os.fstat(body.file.fileno()).st_ino

    async def backend(request: S3Request) -> S3Response:
        return S3Response(200, CIMultiDict(), body)

    monkeypatch.setattr(send_file, "_in_memory", lambda *_: False)
    monkeypatch.setattr(os, "sendfile", waits)
    async with serving(backend) as server, connected(server.port) as client:
        client.send(head("GET /bucket/key"))
        await asyncio.to_thread(begun.wait, 10)
        file = body.file.fileno()
        assert await server.stop(0) == 1
        assert body.file.closed
        may_go_on.set()
        await asyncio.to_thread(done.wait, 10)
    assert used[0][1] != file
    assert after[0] == inode
    for number in used[0]:  # the thread closes them itself, just after
        async with asyncio.timeout(10):
            while _names(number, path):
                await asyncio.sleep(0.005)


def _names(number: int, path: Path) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{number}") == str(path)
    except FileNotFoundError:
        return False


async def test_too_many_open_files_leave_none_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dup, made = os.dup, []

    def limited(descriptor: int) -> int:
        if made:
            raise OSError(errno.EMFILE, "Too many open files")
        made.append(dup(descriptor))
        return made[0]

    monkeypatch.setattr(os, "dup", limited)
    with pytest.raises(OSError, match="Too many"):
        await send_file._push_in_thread(0, 0, 0, 1)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(made[0])
