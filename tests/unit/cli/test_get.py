"""``s3d get`` over the reference model."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from s3d.cli.get import is_binary, metadata_lines
from s3d.s3.message import S3Response


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.bin"


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


def test_what_cannot_be_written(shell: Any, tmp_path: Path) -> None:
    shell.put("k", b"x")
    assert shell("get", "-q", "bucket/k", "-o", str(tmp_path)) == (
        1,
        "",
        f"s3d: {tmp_path} is a directory; name a file.\n",
    )
    code, _, err = shell("get", "-q", "bucket/k", "-o", str(tmp_path / "no" / "f"))
    assert (code, err) == (1, f"s3d: Cannot write {tmp_path}/no/f: No such file or directory.\n")


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


def test_without_a_length_it_is_read_as_a_stream(shell: Any, backend: Any, path: Path) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"data"

    backend.fail = lambda request: S3Response(200, body=pieces() if request.method == "GET" else b"")
    assert shell("get", "-q", "bucket/k", "-o", str(path)) == (0, "", "")
    assert path.read_bytes() == b"data"


def test_a_dash_is_stdout(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shell.put("k", b"data")
    assert shell("get", "-q", "bucket/k", "-o", "-") == (0, "data", "")
    assert list(tmp_path.iterdir()) == []
