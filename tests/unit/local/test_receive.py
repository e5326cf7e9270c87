from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import hashlib
import os
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from small_disk import small_disk
from unit.local.stores import LARGE, file_of, files, get, opened, put, rows

from s3d.local.bodies import Bodies
from s3d.local.receive import INLINE, _File, receive
from s3d.s3.checksums import BY_HEADER
from s3d.s3.errors import S3Error

MIB = 1 << 20


class Sent:
    """A body as a client sends it: ``data`` in pieces; ``length`` is what it declared."""

    replayable = False

    def __init__(self, data: bytes, length: int | None = None, piece: int = 1 << 16) -> None:
        self._data, self._piece = data, piece
        self.length = len(data) if length is None else length
        self.error: BaseException | None = None
        self.waits_after: int | None = None
        """Bytes after which nothing more comes."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), self._piece):
            if self.waits_after is not None and start >= self.waits_after:
                await asyncio.Event().wait()
            yield self._data[start : start + self._piece]
        if self.error is not None:
            raise self.error


@pytest.fixture
async def bodies(tmp_path: Path) -> AsyncIterator[Bodies]:
    async with opened(tmp_path / "store") as bodies:
        yield bodies


async def settled(bodies: Bodies) -> list[str]:
    """What is left in ``incoming`` once what runs in threads is over."""
    loop = asyncio.get_running_loop()
    executor: ThreadPoolExecutor | None = loop._default_executor  # type: ignore[attr-defined]  # asyncio has no way to ask
    if executor is not None:
        executor.shutdown()
        loop.set_default_executor(ThreadPoolExecutor())
    for _ in range(3):  # what the threads said reaches the futures, and then who waits for those
        await asyncio.sleep(0)
    return sorted(os.listdir(bodies.incoming))


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


BORDERS = [size + more for size in (INLINE, MIB, 2 * MIB, 3 * MIB) for more in (-1, 0, 1)]


@pytest.mark.parametrize("size", [0, 1, *BORDERS])
@pytest.mark.parametrize("streamed", [False, True])
async def test_every_size(bodies: Bodies, size: int, streamed: bool) -> None:
    data = pattern(size)
    sha256, crc32 = BY_HEADER["x-amz-checksum-sha256"], BY_HEADER["x-amz-checksum-crc32"]
    async with await receive(bodies, Sent(data) if streamed else data, [sha256, crc32]) as new:
        assert (new.size, new.md5) == (size, hashlib.md5(data).digest())
        assert new.digests == {
            "SHA256": hashlib.sha256(data).digest(),
            "CRC32": zlib.crc32(data).to_bytes(4, "big"),
        }
        assert (new.file is None) == (size <= INLINE)
        row = await new.change(lambda c, body: body)
    assert (row is None) == (size == 0)
    found = rows(bodies, "SELECT refs, size, md5, length(data), file IS NULL FROM body")
    expected = (1, size, hashlib.md5(data).digest(), size if size <= INLINE else None, size <= INLINE)
    assert found == ([expected] if size else [])
    if size > INLINE:
        assert new.file is not None
        assert bodies.path(new.file).read_bytes() == data


@pytest.mark.parametrize("piece", [1000, MIB - 1, MIB, 5 * MIB])
async def test_pieces_of_any_size(bodies: Bodies, piece: int) -> None:
    data = pattern(3 * MIB + 5)
    async with await receive(bodies, Sent(data, piece=piece)) as new:
        await new.change(lambda c, body: c.execute("INSERT INTO object VALUES ('a', ?)", (body,)).rowcount)
    assert get(bodies, "a") == data


async def test_a_write_that_takes_less_than_it_is_given(bodies: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "writev", lambda handle, pieces: os.write(handle, pieces[0][: len(pieces[0]) // 2]))
    data = pattern(3 * MIB + 5)
    async with await receive(bodies, Sent(data)) as new:
        await new.change(lambda c, body: c.execute("INSERT INTO object VALUES ('a', ?)", (body,)).rowcount)
    assert get(bodies, "a") == data


@pytest.mark.parametrize("size", [10, INLINE, INLINE + 1, 3 * MIB])
@pytest.mark.parametrize("more", [-1, 1])
async def test_a_body_of_another_length_than_declared(bodies: Bodies, size: int, more: int) -> None:
    with pytest.raises(S3Error, match="IncompleteBody"):
        await receive(bodies, Sent(pattern(size), size + more))
    assert await settled(bodies) == []


@pytest.mark.parametrize("size", [10, INLINE + 1, MIB, 3 * MIB])
async def test_an_error_of_the_sender(bodies: Bodies, size: int) -> None:
    body = Sent(pattern(size), size + 1)
    body.error = S3Error("BadDigest")
    with pytest.raises(S3Error, match="BadDigest"):
        await receive(bodies, body)
    assert await settled(bodies) == []


@pytest.mark.parametrize("waits_after", [0, 1 << 16, MIB, 2 * MIB, 3 * MIB])
async def test_a_client_that_goes_away(bodies: Bodies, waits_after: int) -> None:
    body = Sent(pattern(4 * MIB))
    body.waits_after = waits_after
    receiving = asyncio.gather(receive(bodies, body))
    for _ in range(200):
        await asyncio.sleep(0)
    receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    assert await settled(bodies) == []


class Held:
    """Stops a thread in a call until it is let go."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.entered, self.go = threading.Event(), threading.Event()

    def __call__(self, *args: Any) -> Any:
        self.entered.set()
        assert self.go.wait(60)
        return self._function(*args)


@pytest.mark.parametrize("call", ["writev", "fsync"])
async def test_a_client_that_goes_away_while_a_thread_works(
    bodies: Bodies, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(getattr(os, call))
    monkeypatch.setattr(os, call, held)
    receiving = asyncio.gather(receive(bodies, Sent(pattern(3 * MIB))))
    while not held.entered.is_set():
        await asyncio.sleep(0)
    receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    held.go.set()
    assert await settled(bodies) == []


@pytest.mark.parametrize("kind", [asyncio.CancelledError, S3Error])
async def test_a_body_that_is_not_handed_over_is_removed(bodies: Bodies, kind: type[BaseException]) -> None:
    error = S3Error("BadDigest") if kind is S3Error else kind()

    async def fails() -> None:
        async with await receive(bodies, LARGE):
            assert len(os.listdir(bodies.incoming)) == 1
            raise error

    with pytest.raises(kind):
        await fails()
    assert await settled(bodies) == []


async def test_a_change_that_is_refused_removes_the_body(bodies: Bodies) -> None:
    def refuses(connection: object, body: int | None) -> None:
        raise S3Error("PreconditionFailed")

    async with await receive(bodies, LARGE) as new:
        with pytest.raises(S3Error, match="PreconditionFailed"):
            await new.change(refuses)
    assert await settled(bodies) == []
    assert rows(bodies, "SELECT * FROM body") == []


async def test_who_goes_away_during_the_commit_has_put_it(bodies: Bodies, tmp_path: Path) -> None:
    putting = asyncio.gather(put(bodies, "a", LARGE))
    while not bodies.database._busy:
        await asyncio.sleep(0)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    await bodies.database.flush()
    assert get(bodies, "a") == LARGE
    assert [name.split("/")[0] for name in files(tmp_path / "store")] == ["bodies"]


@pytest.mark.parametrize("call", ["writev", "fsync", "open"])
@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "SlowDown"), (errno.EDQUOT, "SlowDown"), (errno.EIO, "InternalError")],
)
@pytest.mark.parametrize("nth", [1, 2])
async def test_a_disk_that_fails(
    bodies: Bodies, call: str, number: int, code: str, nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls: each batch is written, then the file and its directory are synced; the second open is that of the
    directory. After a failed sync there is no other of the same file."""
    real: Callable[..., Any] = getattr(os, call)
    handles: list[Any] = []

    def fails(*args: Any, **more: Any) -> Any:
        handles.append(args[0])
        if len(handles) == nth:
            raise OSError(number, os.strerror(number))
        return real(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        with pytest.raises(S3Error, match=code):
            await receive(bodies, Sent(pattern(3 * MIB)))
        assert await settled(bodies) == []
    if call == "fsync":
        assert len(handles) == nth
    await put(bodies, "a", LARGE)
    assert get(bodies, "a") == LARGE


async def test_the_disk_and_then_the_sender_fail(bodies: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one error can be told; asyncio must not complain that nobody looked at the other."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))

    def full(*args: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    body = Sent(pattern(MIB), 2 * MIB)
    body.error = S3Error("RequestTimeout")
    with contextlib.suppress(S3Error):  # pytest.raises would keep the frames, and with them what is looked for
        await receive(bodies, body)
    assert await settled(bodies) == []
    body.error = None  # it holds all frames
    gc.collect()
    assert complaints == []


def test_a_batch_that_waits_for_its_turn_makes_no_file_after_the_end(tmp_path: Path) -> None:
    file = _File(tmp_path)
    file.discard()
    file.write([b"x"])
    assert os.listdir(tmp_path) == []


async def test_a_file_that_cannot_be_moved_is_read_where_it_is(
    bodies: Bodies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", fails)
        await put(bodies, "a", LARGE)
    assert "could not be moved" in caplog.text
    assert files(tmp_path / "store") == [f"incoming/{file_of(bodies, 'a')}"]
    assert get(bodies, "a") == LARGE
    bodies._recover()
    assert files(tmp_path / "store")[0].startswith("bodies/")
    assert get(bodies, "a") == LARGE


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 4) as directory:
        yield directory


async def test_a_full_disk(disk: Path) -> None:
    """Large and small bodies until nothing more goes in: what was put stays, also over a start."""
    async with opened(disk / "store") as bodies:
        kept: dict[str, bytes] = {}

        async def fill(size: int) -> None:
            while True:
                key, data = f"{size}-{len(kept)}", pattern(size + len(kept))
                await put(bodies, key, data)
                kept[key] = data

        for size in (300_000, 30_000):
            with pytest.raises(S3Error, match="SlowDown"):
                await fill(size)
        assert len(kept) > 10
        assert await settled(bodies) == []
        assert {key: get(bodies, key) for key in kept} == kept
    async with opened(disk / "store") as bodies:
        assert {key: get(bodies, key) for key in kept} == kept
