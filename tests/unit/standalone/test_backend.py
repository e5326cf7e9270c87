from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Pieces, call

from s3d.local.directory import CannotOpen, DirectoryInUse
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import Query, S3Request
from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig
from s3d.standalone.fsck import check


async def opened(directory: Path, *buckets: str) -> Standalone:
    backend = Standalone(StandaloneConfig(directory, buckets))
    try:
        await backend.open()
    except CannotOpen:
        await backend.close()  # lets go of the directory
        raise
    return backend


async def test_what_was_put_is_there_after_a_start(tmp_path: Path) -> None:
    for number in range(3):
        backend = await opened(tmp_path / "new" / "store", "first", "second")
        await call(backend, "PutObject", {"Bucket": "first", "Key": str(number)}, b"x" * 100_000)
        listed = await call(backend, "ListBuckets")
        assert [entry["Name"] for entry in listed["Buckets"]] == ["first", "second"]
        for before in range(number + 1):
            found = await call(backend, "GetObject", {"Bucket": "first", "Key": str(before)})
            assert found["Body"] == b"x" * 100_000
        await backend.close()
    assert check(tmp_path / "new" / "store", print) == 0


async def test_a_second_one_is_refused(tmp_path: Path) -> None:
    first = await opened(tmp_path, "bucket")
    second = Standalone(StandaloneConfig(tmp_path))
    with pytest.raises(DirectoryInUse, match=f"{tmp_path} is in use"):
        await second.open()
    await second.close()
    await call(first, "PutObject", {"Bucket": "bucket", "Key": "k"}, b"x")
    await first.close()
    await (await opened(tmp_path)).close()


@pytest.mark.parametrize("failing", ["mkdir", "listdir", "fsync", "open"])
async def test_a_directory_that_cannot_be_used(tmp_path: Path, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so in a sentence, and lets go of what it took."""

    def fails(*args: Any, **more: Any) -> Any:
        raise OSError(errno.EROFS, "Read-only file system")

    backend = Standalone(StandaloneConfig(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fails)
        with pytest.raises(CannotOpen, match=f"{tmp_path}.*Read-only file system.*choose another"):
            await backend.open()
    await backend.close()
    await (await opened(tmp_path)).close()


async def test_no_room_for_a_missing_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*args: object) -> None:
        raise S3Error("SlowDown", "The store has no room on its disk.")

    monkeypatch.setattr("s3d.standalone.buckets.create_missing", full)
    backend = Standalone(StandaloneConfig(tmp_path, ("bucket",)))
    with pytest.raises(CannotOpen, match="no room"):
        await backend.open()
    await backend.close()


async def test_bodies_without_their_database(tmp_path: Path) -> None:
    backend = await opened(tmp_path, "bucket")
    await call(backend, "PutObject", {"Bucket": "bucket", "Key": "k"}, b"x" * 100_000)
    await backend.close()
    lost = (tmp_path / "store.db").rename(tmp_path / "elsewhere")
    with pytest.raises(CannotOpen, match=r"its database store\.db is lost"):
        await opened(tmp_path)
    lost.rename(tmp_path / "store.db")
    backend = await opened(tmp_path)
    assert (await call(backend, "GetObject", {"Bucket": "bucket", "Key": "k"}))["Body"] == b"x" * 100_000
    await backend.close()


async def test_what_every_answer_says(tmp_path: Path) -> None:
    backend = await opened(tmp_path, "bucket")
    request = codec.build_request("HeadBucket", {"Bucket": "bucket"})
    request.request_id = "the-id"
    response = await backend(request)
    expected = {"x-amz-request-id": "the-id", "x-s3d-state": "remote", "Server": "s3d"}
    assert {name: response.headers[name] for name in expected} == expected
    await backend.close()


@pytest.mark.parametrize(("operation", "query"), [("Unknown", [("future", "")]), ("SelectObjectContent", [])])
async def test_what_is_not_implemented(tmp_path: Path, operation: str, query: Query) -> None:
    backend = await opened(tmp_path, "bucket")
    with pytest.raises(S3Error, match="NotImplemented"):
        await backend(S3Request("POST", operation, bucket="bucket", key="k", query=query))
    await backend.close()


@pytest.mark.parametrize(
    ("method", "bucket", "key", "resource"),
    [("DELETE", None, None, "SERVICE"), ("PATCH", "bucket", None, "BUCKET"), ("POST", "bucket", "k", "OBJECT")],
)
async def test_a_method_that_nothing_has(
    tmp_path: Path, method: str, bucket: str | None, key: str | None, resource: str
) -> None:
    backend = await opened(tmp_path, "bucket")
    with pytest.raises(S3Error) as caught:
        await backend(S3Request(method, "Unknown", bucket=bucket, key=key))
    assert caught.value.code == "MethodNotAllowed"
    assert caught.value.elements == {"Method": method, "ResourceType": resource}
    await backend.close()


async def test_a_key_that_is_too_long(tmp_path: Path) -> None:
    backend = await opened(tmp_path, "bucket")
    with pytest.raises(S3Error, match="KeyTooLongError"):
        await backend(codec.build_request("GetObject", {"Bucket": "bucket", "Key": "ä" * 513}))
    await backend.close()


async def test_xml_that_is_too_long_is_not_taken_in(tmp_path: Path) -> None:
    backend = await opened(tmp_path, "bucket")
    request = codec.build_request("PutBucketVersioning", {"Bucket": "bucket", "VersioningConfiguration": {}})
    request.body = Pieces(bytes((4 << 20) + 1))
    with pytest.raises(S3Error, match="MaxMessageLengthExceeded"):
        await backend(request)
    await backend.close()


async def test_the_status_page(tmp_path: Path) -> None:
    backend = await opened(tmp_path)
    found = backend.document()
    assert found["directory"] == str(tmp_path)
    await backend.close()


async def test_a_database_that_was_emptied(tmp_path: Path) -> None:
    """As one that is missing: the bodies would be nobody's. It is left as it is."""
    backend = await opened(tmp_path, "bucket")
    await backend.close()
    (tmp_path / "store.db").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(CannotOpen, match=r"database store\.db is lost"):
            await opened(tmp_path)
    told: list[str] = []
    assert check(tmp_path, told.append, repair=True) == 1
    assert "is empty, but there are bodies" in told[0]


@pytest.mark.parametrize("table", ["trash", "upload", "body"])
async def test_tables_that_are_damaged(tmp_path: Path, table: str) -> None:
    """What SQLite finds only when it reads them is a sentence, too, and the directory is free again."""
    backend = await opened(tmp_path, "bucket")
    await call(backend, "PutObject", {"Bucket": "bucket", "Key": "k"}, b"x" * 100_000)
    (tmp_path / "incoming" / "left").write_bytes(b"x")  # recovery looks for its row
    page = backend._store.reader.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = ?", ("body_file" if table == "body" else table,)
    ).fetchone()[0]
    await backend.close()
    with (tmp_path / "store.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    for _ in range(2):
        with pytest.raises(CannotOpen, match="run s3d fsck"):
            await opened(tmp_path)
