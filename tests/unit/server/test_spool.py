"""Bodies taken in whole."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from s3d.s3.errors import S3Error
from s3d.server import spool as module
from s3d.server.spool import SpooledBody, spool


async def stream(*pieces: bytes | BaseException) -> AsyncIterator[bytes]:
    for piece in pieces:
        if isinstance(piece, BaseException):
            raise piece
        yield piece


async def whole(body: SpooledBody) -> bytes:
    return b"".join([piece async for piece in body])


async def test_small_bodies_stay_in_memory(tmp_path: Path) -> None:
    assert await spool(stream(b"ab", b"", b"c"), tmp_path / "spool", in_memory=3) == b"abc"
    assert await spool(stream(), tmp_path / "spool", in_memory=3) == b""
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("size", [4, (1 << 20) + 1, 3_500_000])
async def test_large_bodies_go_to_a_file_without_a_name(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    body = await spool(
        stream(*(data[i : i + 100_000] for i in range(0, size, 100_000))), tmp_path / "spool", in_memory=3
    )
    assert isinstance(body, SpooledBody)
    assert (body.length, body.replayable) == (size, True)
    assert await whole(body) == data
    assert await whole(body) == data, "again"
    assert not os.listdir(tmp_path / "spool")
    body.close()


async def test_a_source_that_fails_leaves_nothing_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(S3Error, match="IncompleteBody"):
        await spool(stream(b"x" * 3_000_000, S3Error("IncompleteBody")), tmp_path, in_memory=3)
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_directory_that_cannot_be_used_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    body = await spool(stream(b"abcd"), tmp_path / "file" / "spool", in_memory=3)
    assert isinstance(body, SpooledBody)
    assert await whole(body) == b"abcd"
    body.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_a_full_disk_is_slow_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = []

    class Full:
        def writelines(self, batch: list[bytes]) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            closed.append(True)
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_open", lambda directory: Full())
    with pytest.raises(S3Error) as caught:
        await spool(stream(b"abcd"), tmp_path, in_memory=3)
    assert (caught.value.code, caught.value.headers) == ("SlowDown", {"Retry-After": "30"})
    assert closed
    assert {record.levelname for record in caplog.records} == {"ERROR", "WARNING"}


async def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    file = (tmp_path / "body").open("w+b")
    body = SpooledBody(file, 10)
    with pytest.raises(S3Error, match="InternalError"):
        await whole(body)
    body.close()
