"""Multipart uploads: verified, repeated, taken back; over the reference model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from awscrt.checksums import crc64nvme

from s3d.cli.source import encode
from s3d.s3.errors import RemoteUnreachable, S3Error, error_response

MIB = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "input.bin"


def test_the_parts_have_checksums_and_so_has_the_whole(shell: Any, backend: Any, file: Path) -> None:
    file.write_bytes(os.urandom(11 * MIB))
    assert shell("put", "bucket/k", "-i", str(file), "--part-size", "5MiB")[0] == 0
    create, *parts, complete = backend.requests
    assert create.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert len({part.headers["x-amz-checksum-crc64nvme"] for part in parts}) == 3
    whole = encode(crc64nvme(file.read_bytes()))
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
