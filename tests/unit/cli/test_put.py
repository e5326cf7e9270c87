"""``s3d put`` over the reference model."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "input.bin"


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Makes stdin a pipe with these bytes."""
    with ExitStack() as stack:

        def start(data: bytes) -> None:
            read, write = os.pipe()

            def fill() -> None:
                with os.fdopen(write, "wb") as pipe:
                    pipe.write(data)

            threading.Thread(target=fill, daemon=True).start()
            monkeypatch.setattr("sys.stdin", stack.enter_context(os.fdopen(read)))

        yield start


def test_small_is_one_request_with_a_checksum(shell: Any, backend: Any, file: Path) -> None:
    file.write_bytes(b"hello")
    assert shell("put", "bucket/dir/a.txt", "-i", str(file)) == (0, "", "")
    assert shell.data("dir/a.txt") == b"hello"
    assert backend.operations() == ["PutObject"]
    headers = backend.requests[0].headers
    assert headers["x-amz-checksum-crc64nvme"] == "M3eFcAZSQlc="
    assert headers["Content-Type"] == "text/plain"


def test_what_is_said_about_the_object_arrives(shell: Any, backend: Any, file: Path) -> None:
    file.write_bytes(b"hello")
    flags = ["--content-type", "x/y", "-m", "a=1", "--metadata", "b=2", "-t", "t=a b+c", "--tag", "u="]
    assert shell("put", "bucket/k", "-i", str(file), *flags)[0] == 0
    headers = backend.requests[0].headers
    assert headers["Content-Type"] == "x/y"
    assert (headers["x-amz-meta-a"], headers["x-amz-meta-b"]) == ("1", "2")
    assert headers["x-amz-tagging"] == "t=a%20b%2Bc&u="


@pytest.mark.parametrize("size", [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB, 12 * MIB + 7])
@pytest.mark.parametrize("stream", [False, True])
def test_every_size_arrives(
    shell: Any, backend: Any, file: Path, feed: Callable[[bytes], None], size: int, *, stream: bool
) -> None:
    data = os.urandom(size)
    if stream:
        feed(data)
        source = []
    else:
        file.write_bytes(data)
        source = ["-i", str(file)]
    code, out, err = shell("put", "bucket/k", *source, "--part-size", "5MiB", "--jobs", "3", "--json", "-v")
    assert code == 0
    assert hashlib.sha256(shell.data("k")).digest() == hashlib.sha256(data).digest()
    document = json.loads(out)
    assert (document["bucket"], document["key"], document["size"]) == ("bucket", "k", size)
    assert err == f"bucket/k {document['etag']} {size}\n"
    multipart = size > 5 * MIB or (stream and size == 5 * MIB)
    assert ("CompleteMultipartUpload" in backend.operations()) is multipart


def test_a_redirected_file_is_read_from_where_it_is(shell: Any, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(b"skipped,taken")
    with file.open("rb", buffering=0) as opened:
        opened.seek(8)
        monkeypatch.setattr("sys.stdin", opened)
        assert shell("put", "bucket/k")[0] == 0
    assert shell.data("k") == b"taken"


@pytest.mark.parametrize("size", ["1MiB", "6GiB", "x"])
def test_part_sizes_are_those_of_s3(shell: Any, file: Path, size: str) -> None:
    file.write_bytes(b"")
    assert shell("put", "bucket/k", "-i", str(file), "--part-size", size)[0] == 2


def test_what_cannot_be_read(shell: Any, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert shell("put", "bucket/k", "-i", str(missing)) == (
        1,
        "",
        f"s3d: Cannot read {missing}: No such file or directory.\n",
    )
    assert shell("put", "bucket/k", "-i", str(tmp_path))[0] == 1


def test_a_dash_is_stdin(shell: Any, feed: Callable[[bytes], None], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(b"a file of that name")
    feed(b"stdin")
    assert shell("put", "bucket/k", "-i", "-")[0] == 0
    assert shell.data("k") == b"stdin"
