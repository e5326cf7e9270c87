"""``s3d put`` over the reference model."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from s3d.s3.errors import RemoteUnreachable, S3Error, error_response

MIB = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "input.bin"


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Makes stdin a pipe with these bytes."""
    read, write = os.pipe()

    def fill() -> None:
        with os.fdopen(write, "wb") as pipe:
            pipe.write(data)

    threading.Thread(target=fill, daemon=True).start()
    monkeypatch.setattr("sys.stdin", os.fdopen(read))


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
    flags = ["--content-type", "x/y", "-m", "a=1", "--metadata", "b=2", "-t", "t=a b&c", "--tag", "u="]
    assert shell("put", "bucket/k", "-i", str(file), *flags)[0] == 0
    headers = backend.requests[0].headers
    assert headers["Content-Type"] == "x/y"
    assert (headers["x-amz-meta-a"], headers["x-amz-meta-b"]) == ("1", "2")
    assert headers["x-amz-tagging"] == "t=a%20b%26c&u="


@pytest.mark.parametrize("size", [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB, 12 * MIB + 7])
@pytest.mark.parametrize("stream", [False, True])
def test_every_size_arrives(
    shell: Any, backend: Any, file: Path, monkeypatch: pytest.MonkeyPatch, size: int, *, stream: bool
) -> None:
    data = os.urandom(size)
    if stream:
        feed(monkeypatch, data)
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


def test_the_parts_have_checksums_and_so_has_the_whole(shell: Any, backend: Any, file: Path) -> None:
    from s3d.cli.source import _crc_of_file, encode

    file.write_bytes(os.urandom(11 * MIB))
    assert shell("put", "bucket/k", "-i", str(file), "--part-size", "5MiB")[0] == 0
    create, *parts, complete = backend.requests
    assert create.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert len({part.headers["x-amz-checksum-crc64nvme"] for part in parts}) == 3
    with file.open("rb") as opened:
        whole = encode(_crc_of_file(opened.fileno(), 0, 11 * MIB))
    assert complete.headers["x-amz-checksum-crc64nvme"] == whole


def refuse(operation: str, *, times: int = 1, code: str = "AccessDenied") -> Any:
    left = [times]

    def fail(request: Any) -> Any:
        if request.operation == operation and left[0]:
            left[0] -= 1
            return error_response(S3Error(code), resource="", request_id="")
        return None

    return fail


@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_a_failed_upload_is_taken_back(shell: Any, backend: Any, file: Path, operation: str) -> None:
    file.write_bytes(bytes(11 * MIB))
    backend.fail = refuse(operation)
    code, _, err = shell("put", "bucket/k", "-i", str(file), "--part-size", "5MiB")
    assert (code, err) == (1, "s3d: AccessDenied: Access Denied (bucket/k)\n")
    assert backend.operations()[-1] == "AbortMultipartUpload"
    assert shell.seed("ListMultipartUploads").get("Uploads", []) == []
    assert shell.keys() == []


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart", "CompleteMultipartUpload"])
def test_what_passes_is_repeated(shell: Any, backend: Any, file: Path, operation: str) -> None:
    file.write_bytes(os.urandom(MIB if operation == "PutObject" else 11 * MIB))
    backend.fail = refuse(operation, times=2, code="SlowDown")
    assert shell("put", "bucket/k", "-i", str(file), "--part-size", "5MiB")[0] == 0
    assert shell.data("k") == file.read_bytes()


def test_a_completion_whose_answer_was_lost_is_a_success(shell: Any, backend: Any, file: Path) -> None:
    file.write_bytes(os.urandom(11 * MIB))
    inner = backend.inner
    lost = [True]

    class Losing:
        store = inner.store

        async def __call__(self, request: Any) -> Any:
            answer = await inner(request)
            if request.operation == "CompleteMultipartUpload":
                if lost.pop() if lost else False:
                    raise RemoteUnreachable("the connection broke")
                return error_response(S3Error("NoSuchUpload"), resource="", request_id="")
            return answer

    backend.inner = Losing()
    assert shell("put", "bucket/k", "-i", str(file), "--part-size", "5MiB")[0] == 0
    assert "AbortMultipartUpload" not in backend.operations()


def test_a_file_that_changes_meanwhile_is_no_object(shell: Any, backend: Any, file: Path) -> None:
    file.write_bytes(bytes(11 * MIB))

    def touch(request: Any) -> None:
        if request.operation == "UploadPart":
            os.utime(file, (1, 1))

    backend.fail = touch
    code, _, err = shell("put", "bucket/k", "-i", str(file), "--part-size", "5MiB")
    assert code == 1
    assert "changed while it was read" in err
    assert shell.keys() == []


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
