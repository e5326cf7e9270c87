"""minio-py over plain HTTP: every part is sent with the SHA-256 of its body in the signature."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from minio import Minio
from minio.commonconfig import CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

pytestmark = pytest.mark.peer

MIB = 1 << 20


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


@pytest.fixture(scope="module")
def minio(endpoint: str, credentials: dict[str, str], http: urllib3.PoolManager) -> Minio:
    return Minio(
        urlsplit(endpoint).netloc,
        access_key=credentials["aws_access_key_id"],
        secret_key=credentials["aws_secret_access_key"],
        region=credentials["region_name"],
        secure=False,
        http_client=http,
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(minio: Minio, bucket: str, key: str, **options: Any) -> bytes:
    response = minio.get_object(bucket, key, **options)
    try:
        data: bytes = response.read()
        return data
    finally:
        response.close()
        response.release_conn()


@pytest.mark.parametrize("size", [0, 1, 65_536, 100_001, 11 * MIB], ids=str)
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_stream(minio: Minio, remote: Any, bucket: str, size: int, known: bool) -> None:
    data = random.Random(size).randbytes(size)
    length, part_size = (size, 0) if known else (-1, 5 * MIB)
    minio.put_object(
        bucket, "a b/+k", io.BytesIO(data), length, "video/mp4", metadata={"x-owner": "me"}, part_size=part_size
    )
    stored = remote.get_object(Bucket=bucket, Key="a b/+k")
    assert (stored["ContentType"], stored["Metadata"]) == ("video/mp4", {"x-owner": "me"})
    assert _digest(stored["Body"].read()) == _digest(data)
    assert _digest(_read(minio, bucket, "a b/+k")) == _digest(data)


def test_files_and_parallel_parts(minio: Minio, remote: Any, bucket: str, tmp_path: Path) -> None:
    data = random.Random(1).randbytes(16 * MIB + 1)
    (tmp_path / "source").write_bytes(data)
    result = minio.fput_object(bucket, "big", str(tmp_path / "source"), part_size=5 * MIB, num_parallel_uploads=3)
    assert result.etag is not None
    assert result.etag.endswith("-4")
    minio.fget_object(bucket, "big", str(tmp_path / "target"))
    assert _digest((tmp_path / "target").read_bytes()) == _digest(data)
    assert _digest(remote.get_object(Bucket=bucket, Key="big")["Body"].read()) == _digest(data)
    assert _read(minio, bucket, "big", offset=5 * MIB, length=77) == data[5 * MIB : 5 * MIB + 77]


def test_stat_tags_copy_and_list(minio: Minio, bucket: str) -> None:
    tags = Tags.new_object_tags()
    tags["team"] = "red + blue"
    minio.put_object(bucket, "a/one", io.BytesIO(b"1"), 1, tags=tags)
    assert dict(minio.get_object_tags(bucket, "a/one") or {}) == {"team": "red + blue"}
    tags["team"] = "green"
    minio.set_object_tags(bucket, "a/one", tags)
    assert dict(minio.get_object_tags(bucket, "a/one") or {}) == {"team": "green"}
    minio.delete_object_tags(bucket, "a/one")
    assert not minio.get_object_tags(bucket, "a/one")
    minio.copy_object(bucket, "b/é two", CopySource(bucket, "a/one"))
    stat = minio.stat_object(bucket, "b/é two")
    assert (stat.size, stat.etag) == (1, hashlib.md5(b"1").hexdigest())
    assert [entry.object_name for entry in minio.list_objects(bucket)] == ["a/", "b/"]
    assert [entry.object_name for entry in minio.list_objects(bucket, recursive=True)] == ["a/one", "b/é two"]


def test_presigned(minio: Minio, http: urllib3.PoolManager, remote: Any, bucket: str) -> None:
    url = minio.presigned_put_object(bucket, "a b", expires=timedelta(minutes=5))
    assert http.request("PUT", url, body=b"by url").status == 200
    assert remote.get_object(Bucket=bucket, Key="a b")["Body"].read() == b"by url"
    assert http.request("GET", minio.presigned_get_object(bucket, "a b")).data == b"by url"


def test_remove(minio: Minio, remote: Any, bucket: str) -> None:
    names = [f"d/{number}" for number in range(30)]
    for name in names:
        minio.put_object(bucket, name, io.BytesIO(b"x"), 1)
    minio.remove_object(bucket, "d/0")
    assert list(minio.remove_objects(bucket, [DeleteObject(name) for name in names[1:]])) == []
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)
    with pytest.raises(S3Error) as missing:
        minio.stat_object(bucket, "d/0")
    assert missing.value.code == "NoSuchKey"


def test_a_bucket(minio: Minio) -> None:
    minio.make_bucket("made-by-minio-py")
    assert minio.bucket_exists("made-by-minio-py")
    assert "made-by-minio-py" in [entry.name for entry in minio.list_buckets()]
    minio.remove_bucket("made-by-minio-py")
    assert not minio.bucket_exists("made-by-minio-py")
