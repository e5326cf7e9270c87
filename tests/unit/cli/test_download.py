"""Downloads into files: parallel, conditional, resumable; over the reference model."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from s3d.cli.download import journal_path, part_path
from s3d.s3.message import S3Response

MIB = 1 << 20
PARTS = ["--part-size", "1MiB", "--jobs", "3"]


def fetched(backend: Any) -> list[str]:
    return [r.headers.get("Range", "all") for r in backend.requests if r.operation == "GetObject"]


def leftovers(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if entry != path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.bin"


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, 5 * MIB + 7])
def test_into_a_file(shell: Any, path: Path, size: int) -> None:
    data = os.urandom(size)
    shell.put("k", data)
    path.write_bytes(b"what was there before")
    code, out, err = shell("get", "bucket/k", "-o", str(path), *PARTS)
    assert (code, out) == (0, "")
    assert "ETag" in err
    assert path.read_bytes() == data
    assert leftovers(path) == []


def test_every_range_is_conditional(shell: Any, backend: Any, path: Path) -> None:
    shell.put("k", bytes(3 * MIB))
    shell("get", "bucket/k", "-o", str(path), *PARTS)
    gets = [request for request in backend.requests if request.operation == "GetObject"]
    assert sorted(fetched(backend)) == ["bytes=0-1048575", "bytes=1048576-2097151", "bytes=2097152-3145727"]
    assert len({request.headers["If-Match"] for request in gets}) == 1


def interrupted(shell: Any, backend: Any, path: Path, *, after: int) -> None:
    """A download that ends with a failure after so many ranges."""
    served = [0]

    def fail(request: Any) -> S3Response | None:
        served[0] += request.operation == "GetObject"
        return S3Response(403) if served[0] > after else None

    backend.fail = fail
    assert shell("get", "bucket/k", "-o", str(path), "--part-size", "1MiB", "--jobs", "1")[0] == 1
    assert not path.exists()
    backend.fail = lambda request: None
    backend.requests.clear()


def test_the_second_try_fetches_what_is_missing(shell: Any, backend: Any, path: Path) -> None:
    data = os.urandom(4 * MIB)
    shell.put("k", data)
    interrupted(shell, backend, path, after=2)
    assert leftovers(path) == ["out.bin.s3d-part", "out.bin.s3d-part.journal"]
    assert shell("get", "bucket/k", "-o", str(path), "--part-size", "1MiB")[0] == 0
    assert sorted(fetched(backend)) == ["bytes=2097152-3145727", "bytes=3145728-4194303"]
    assert path.read_bytes() == data
    assert leftovers(path) == []


def test_another_version_is_fetched_from_the_start(shell: Any, backend: Any, path: Path) -> None:
    shell.put("k", os.urandom(3 * MIB))
    interrupted(shell, backend, path, after=2)
    data = os.urandom(3 * MIB)
    shell.put("k", data)
    assert shell("get", "bucket/k", "-o", str(path), "--part-size", "1MiB")[0] == 0
    assert len(fetched(backend)) == 3
    assert path.read_bytes() == data


def test_a_journal_without_its_data_is_worth_nothing(shell: Any, backend: Any, path: Path) -> None:
    data = os.urandom(3 * MIB)
    shell.put("k", data)
    interrupted(shell, backend, path, after=2)
    part_path(path).unlink()
    assert shell("get", "bucket/k", "-o", str(path), "--part-size", "1MiB")[0] == 0
    assert path.read_bytes() == data


def test_a_version_that_appears_meanwhile_ends_it(shell: Any, backend: Any, path: Path) -> None:
    shell.put("k", os.urandom(3 * MIB))
    served = [0]

    def replace(request: Any) -> None:
        served[0] += request.operation == "GetObject"
        if served[0] == 2:
            backend.inner.store.buckets["bucket"].objects["k"].etag = '"other"'

    backend.fail = replace
    code, _, err = shell("get", "bucket/k", "-o", str(path), "--part-size", "1MiB", "--jobs", "1")
    assert code == 1
    assert "changed while it was read" in err
    assert not path.exists()


def test_two_downloads_into_one_file_do_not_mix(shell: Any, path: Path) -> None:
    shell.put("k", b"x")
    with part_path(path).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        code, _, err = shell("get", "-q", "bucket/k", "-o", str(path))
    assert code == 1
    assert "Another process is downloading" in err
    assert not journal_path(path).exists()
