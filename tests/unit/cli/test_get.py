"""``s3d get`` over the reference model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDict

from s3d.cli.digest import expected
from s3d.cli.download import journal_path, part_path
from s3d.cli.get import is_binary, metadata_lines
from s3d.s3.message import S3Response

MIB = 1 << 20
PARTS = ["--part-size", "1MiB", "--jobs", "3"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.bin"


def fetched(backend: Any) -> list[str]:
    return [r.headers.get("Range", "all") for r in backend.requests if r.operation == "GetObject"]


def leftovers(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if entry != path)


def test_data_to_stdout_metadata_to_stderr(shell: Any) -> None:
    shell.put("k", b"hello", ContentType="text/plain", Metadata={"a": "b"})
    code, out, err = shell("get", "bucket/k")
    assert (code, out) == (0, "hello")
    assert "Content-Type: text/plain\n" in err
    assert "x-amz-meta-a: b\n" in err
    assert 'ETag: "5d41402abc4b2a76b9719d911017c592"\n' in err
    assert shell("get", "-q", "bucket/k") == (0, "hello", "")


def test_no_such_key(shell: Any, path: Path) -> None:
    assert shell("get", "bucket/k") == (1, "", "s3d: NoSuchKey: The specified key does not exist. (bucket/k)\n")
    assert shell("get", "bucket/k", "-o", str(path))[0] == 1
    assert not path.exists()


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


@pytest.mark.parametrize("into_file", [False, True])
def test_a_broken_body_is_taken_up_where_it_broke(shell: Any, backend: Any, path: Path, *, into_file: bool) -> None:
    data = b"".join(b"%07d\n" % number for number in range(1000))
    shell.put("k", data)
    backend.break_after = [100, 0, 500]
    code, out, _ = shell("get", "bucket/k", *(["-o", str(path)] if into_file else []))
    assert code == 0
    assert (path.read_bytes() if into_file else out.encode()) == data
    assert fetched(backend) == ["all", "bytes=100-7999", "bytes=100-7999", "bytes=600-7999"]
    assert all("If-Match" in request.headers for request in backend.requests[-3:])


@pytest.mark.parametrize("into_file", [False, True])
def test_a_body_that_always_breaks_is_a_failure(shell: Any, backend: Any, path: Path, *, into_file: bool) -> None:
    shell.put("k", bytes(1000))
    backend.break_after = [10] * 50
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
    assert leftovers(path) == []
    assert shell("get", "-q", "bucket/k", "--range", "99-")[0] == 1


def test_a_device_is_written_and_not_replaced(shell: Any) -> None:
    shell.put("k", b"x")
    assert shell("get", "-q", "bucket/k", "-o", os.devnull)[0] == 0
    assert not Path(os.devnull).is_file()


def test_what_cannot_be_written(shell: Any, tmp_path: Path) -> None:
    shell.put("k", b"x")
    assert shell("get", "-q", "bucket/k", "-o", str(tmp_path)) == (
        1,
        "",
        f"s3d: {tmp_path} is a directory; name a file.\n",
    )
    code, _, err = shell("get", "-q", "bucket/k", "-o", str(tmp_path / "no" / "f"))
    assert (code, err) == (1, f"s3d: Cannot write {tmp_path}/no/f: No such file or directory.\n")


def test_two_downloads_into_one_file_do_not_mix(shell: Any, path: Path) -> None:
    import fcntl

    shell.put("k", b"x")
    with part_path(path).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        code, _, err = shell("get", "-q", "bucket/k", "-o", str(path))
    assert code == 1
    assert "Another process is downloading" in err
    assert not journal_path(path).exists()


def test_metadata_lines_are_about_the_object() -> None:
    headers = [("Date", "x"), ("Server", "x"), ("x-amz-request-id", "1"), ("Etag", '"e"'), ("X-S3D-State", "remote")]
    assert list(metadata_lines([*headers, ("x-amz-meta-a", "\x1b[31m")])) == [
        'Etag: "e"',
        "X-S3D-State: remote",
        "x-amz-meta-a: \\x1b[31m",
    ]


@pytest.mark.parametrize(
    ("content_type", "binary"),
    [
        ("text/plain; charset=utf-8", False),
        ("application/json", False),
        ("image/svg+xml", False),
        ("image/png", True),
        ("", True),
    ],
)
def test_is_binary(content_type: str, *, binary: bool) -> None:
    assert is_binary(content_type) is binary


MD5 = "5d41402abc4b2a76b9719d911017c592"


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"ETag": f'"{MD5}"'}, "ETag (MD5)"),
        ({"ETag": f'"{MD5}-2"'}, None),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption": "AES256"}, "ETag (MD5)"),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms"}, None),
        ({"ETag": f'"{MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"}, None),
        ({"ETag": '"' + "z" * 32 + '"'}, None),
        ({"x-amz-checksum-crc32": "NhCmhg==", "ETag": "x"}, "CRC32"),
        ({"x-amz-checksum-crc32": "NhCmhg==", "x-amz-checksum-type": "COMPOSITE"}, None),
        ({"x-amz-checksum-crc32": "NhCmhg==-2"}, None),
        ({"x-amz-checksum-crc64nvme": "M3eFcAZSQlc=", "x-amz-checksum-type": "FULL_OBJECT"}, "CRC64NVME"),
        ({}, None),
    ],
)
def test_which_digest_is_checked(headers: dict[str, str], name: str | None) -> None:
    digest = expected(CIMultiDict(headers))
    assert (digest.name if digest else None) == name
    if digest is not None:
        digest.update(b"hello")
        digest.verify("bucket/key")
