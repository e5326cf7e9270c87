"""Objects as streams: what breaks is taken up, what is wrong is found out; over the reference model."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from s3d.s3.message import S3Response


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.bin"


def fetched(backend: Any) -> list[str]:
    return [r.headers.get("Range", "all") for r in backend.requests if r.operation == "GetObject"]


@pytest.mark.parametrize("into_file", [False, True])
def test_a_broken_body_is_taken_up_where_it_broke(shell: Any, backend: Any, path: Path, *, into_file: bool) -> None:
    data = b"".join(b"%07d\n" % number for number in range(1000))
    shell.put("k", data)
    backend.break_after = [100, 0, 500, *[1] * 20]
    code, out, _ = shell("get", "bucket/k", *(["-o", str(path)] if into_file else []))
    assert code == 0
    assert (path.read_bytes() if into_file else out.encode()) == data
    ranges = ["all", "bytes=100-7999", "bytes=100-7999", *[f"bytes={start}-7999" for start in range(600, 621)]]
    assert fetched(backend) == ranges
    assert all("If-Match" in request.headers for request in backend.requests[-23:])


@pytest.mark.parametrize("into_file", [False, True])
def test_a_body_that_always_breaks_is_a_failure(shell: Any, backend: Any, path: Path, *, into_file: bool) -> None:
    shell.put("k", bytes(1000))
    backend.break_after = [10] + [0] * 50
    code, _, err = shell("get", "bucket/k", *(["-o", str(path)] if into_file else []))
    assert code == 1
    assert "broke off" in err
    assert not path.exists()


@pytest.mark.parametrize("into_file", [False, True])
def test_wrong_bytes_are_found_out(shell: Any, backend: Any, path: Path, *, into_file: bool) -> None:
    shell.put("k", b"right")
    stored = backend.inner.store.buckets["bucket"].objects["k"]
    stored.data = b"wrong"
    code, _, err = shell("get", "bucket/k", *(["-o", str(path)] if into_file else []))
    assert code == 1
    assert "What arrived is not what was stored" in err
    assert not path.exists()
    stored.data = b"right"
    assert shell("get", "bucket/k", "-o", str(path))[0] == 0
    assert path.read_bytes() == b"right"


def test_a_range(shell: Any, path: Path) -> None:
    shell.put("k", b"0123456789")
    assert shell("get", "-q", "bucket/k", "--range", "2-4")[1] == "234"
    assert shell("get", "-q", "bucket/k", "--range", "bytes=7-")[1] == "789"
    assert shell("get", "-q", "bucket/k", "--range", "-2", "-o", str(path))[0] == 0
    assert path.read_bytes() == b"89"
    assert list(path.parent.iterdir()) == [path]
    assert shell("get", "-q", "bucket/k", "--range", "99-")[0] == 1


def test_a_device_is_written_and_not_replaced(shell: Any) -> None:
    shell.put("k", b"x")
    assert shell("get", "-q", "bucket/k", "-o", os.devnull)[0] == 0
    assert not Path(os.devnull).is_file()


def test_an_answer_that_does_not_tell_its_length(shell: Any, backend: Any) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one "
        yield b"two"

    backend.fail = lambda request: S3Response(200, body=pieces())
    assert shell("get", "-q", "bucket/k") == (0, "one two", "")


def test_more_bytes_than_announced_are_a_failure(shell: Any, backend: Any) -> None:
    backend.fail = lambda request: S3Response(200, CIMultiDict({"Content-Length": "2"}), b"four")
    code, _, err = shell("get", "-q", "bucket/k")
    assert (code, "longer than the 2 bytes" in err) == (1, True)


@pytest.mark.parametrize("into_file", [False, True])
def test_nothing_is_written_after_a_failure(
    shell: Any, backend: Any, path: Path, monkeypatch: pytest.MonkeyPatch, *, into_file: bool
) -> None:
    """The descriptor is closed then, and its number can be another file's."""
    begun: list[bytes] = []
    ended: list[bytes] = []

    def slowly(descriptor: int, data: bytes) -> None:
        begun.append(data)
        time.sleep(0.2)
        os.write(descriptor, data)
        ended.append(data)

    monkeypatch.setattr("s3d.cli.copy_out.write_all", slowly)
    backend.fail = lambda request: S3Response(200, CIMultiDict({"Content-Length": "2"}), b"four")
    rest = ["--range", "0-9", "-o", str(path)] if into_file else []
    assert shell("get", "-q", "bucket/k", *rest)[0] == 1
    assert begun == ended == [b"four"]
