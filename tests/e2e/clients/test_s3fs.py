"""s3fs-fsspec, the file system below pandas, dask and many others; aiobotocore below it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import s3fs
import urllib3

pytestmark = pytest.mark.peer

MIB = 1 << 20


@pytest.fixture
def fs(endpoint: str, credentials: dict[str, str]) -> Iterator[s3fs.S3FileSystem]:
    filesystem = s3fs.S3FileSystem(
        key=credentials["aws_access_key_id"],
        secret=credentials["aws_secret_access_key"],
        endpoint_url=endpoint,
        client_kwargs={"region_name": credentials["region_name"]},
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    filesystem.connect()
    yield filesystem
    filesystem.close_session(filesystem.loop, filesystem.s3)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_files_are_written_and_read_like_local_ones(fs: s3fs.S3FileSystem, remote: Any, bucket: str) -> None:
    data = random.Random(1).randbytes(13 * MIB + 7)
    with fs.open(f"{bucket}/d/big", "wb", block_size=5 * MIB) as file:
        for offset in range(0, len(data), 700_001):
            file.write(data[offset : offset + 700_001])
    assert remote.head_object(Bucket=bucket, Key="d/big")["ETag"].endswith('-3"')
    assert _digest(remote.get_object(Bucket=bucket, Key="d/big")["Body"].read()) == _digest(data)
    with fs.open(f"{bucket}/d/big", "rb", block_size=MIB) as file:
        file.seek(-10, 2)
        assert file.read() == data[-10:]
        file.seek(6 * MIB)
        assert file.read(3 * MIB) == data[6 * MIB : 9 * MIB]
    assert _digest(fs.cat_file(f"{bucket}/d/big")) == _digest(data)
    with fs.open(f"{bucket}/d/text é", "w") as text:
        text.write("grün\n")
    assert fs.cat(f"{bucket}/d/text é") == "grün\n".encode()
    with fs.open(f"{bucket}/d/text é", "a") as text:
        text.write("more")
    assert fs.read_text(f"{bucket}/d/text é") == "grün\nmore"


def test_trees(fs: s3fs.S3FileSystem, remote: Any, bucket: str, tmp_path: Path) -> None:
    names = [f"t/{folder}/file {number}" for folder in ("a", "b/c") for number in range(5)]
    fs.pipe({f"{bucket}/{name}": name.encode() for name in names})
    assert fs.find(f"{bucket}/t") == [f"{bucket}/{name}" for name in names]
    assert sorted(fs.ls(f"{bucket}/t", detail=False)) == [f"{bucket}/t/a", f"{bucket}/t/b"]
    assert fs.glob(f"{bucket}/t/**/file 3") == [f"{bucket}/t/a/file 3", f"{bucket}/t/b/c/file 3"]
    assert fs.info(f"{bucket}/t/a/file 1")["size"] == len("t/a/file 1")
    assert fs.isdir(f"{bucket}/t/b")
    assert not fs.exists(f"{bucket}/t/z")

    fs.get(f"{bucket}/t", str(tmp_path / "got"), recursive=True)
    assert (tmp_path / "got" / "b" / "c" / "file 4").read_text() == "t/b/c/file 4"
    fs.put(str(tmp_path / "got"), f"{bucket}/put", recursive=True)
    fs.copy(f"{bucket}/put/a/file 0", f"{bucket}/copied")
    fs.mv(f"{bucket}/put/a/file 1", f"{bucket}/moved")
    assert fs.cat_file(f"{bucket}/copied") == b"t/a/file 0"
    assert fs.cat_file(f"{bucket}/moved") == b"t/a/file 1"
    assert len(fs.find(f"{bucket}/put")) == len(names) - 1
    for tree in ("t", "put"):
        fs.rm(f"{bucket}/{tree}", recursive=True)
    assert [entry["Key"] for entry in remote.list_objects_v2(Bucket=bucket)["Contents"]] == ["copied", "moved"]


def test_a_presigned_url(fs: s3fs.S3FileSystem, bucket: str) -> None:
    fs.pipe_file(f"{bucket}/a b+c", b"by url")
    answer = urllib3.request("GET", fs.url(f"{bucket}/a b+c"))
    assert (answer.status, answer.data) == (200, b"by url")


def test_tags_and_metadata(fs: s3fs.S3FileSystem, bucket: str) -> None:
    fs.touch(f"{bucket}/k")
    fs.put_tags(f"{bucket}/k", {"team": "red"})
    assert fs.get_tags(f"{bucket}/k") == {"team": "red"}
    fs.setxattr(f"{bucket}/k", copy_kwargs={"ContentType": "text/x-own"}, owner="me")
    assert fs.metadata(f"{bucket}/k") == {"owner": "me"}


def test_exclusive_creation(fs: s3fs.S3FileSystem, bucket: str) -> None:
    fs.pipe_file(f"{bucket}/k", b"first", mode="create")
    with pytest.raises(OSError, match="conditions"):
        fs.pipe_file(f"{bucket}/k", b"second", mode="create")
    assert fs.cat_file(f"{bucket}/k") == b"first"
