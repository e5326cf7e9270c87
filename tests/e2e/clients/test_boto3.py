"""boto3 as most programs use it: default checksums, managed transfers, pages, conditions, refusals, addressing."""

from __future__ import annotations

import hashlib
import io
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

pytestmark = pytest.mark.peer

MIB = 1 << 20
ONCE = {"total_max_attempts": 1, "mode": "standard"}


@pytest.fixture(scope="module")
def s3(endpoint: str, credentials: dict[str, str]) -> Iterator[Any]:
    client = boto3.client("s3", endpoint_url=endpoint, config=Config(retries=ONCE, read_timeout=20), **credentials)
    yield client
    client.close()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    code: str = error.value.response["Error"]["Code"]
    return code


def test_the_life_of_an_object(s3: Any, remote: Any, bucket: str) -> None:
    data = random.Random(1).randbytes(100_000)
    put = s3.put_object(Bucket=bucket, Key="a/b c+d.bin", Body=data, ContentType="video/mp4", Metadata={"owner": "me"})
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'

    head = s3.head_object(Bucket=bucket, Key="a/b c+d.bin", ChecksumMode="ENABLED")
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (len(data), "video/mp4", {"owner": "me"})
    assert head["ChecksumCRC32"] == put["ChecksumCRC32"]
    stored = remote.get_object(Bucket=bucket, Key="a/b c+d.bin")["Body"].read()
    assert _sha256(stored) == _sha256(data)

    got = s3.get_object(Bucket=bucket, Key="a/b c+d.bin", Range="bytes=500-1499")
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes 500-1499/{len(data)}"
    assert got["Body"].read() == data[500:1500]

    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a/b c+d.bin"})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == data
    assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"owner": "me"}

    s3.delete_object(Bucket=bucket, Key="copy")
    with pytest.raises(ClientError) as missing:
        s3.get_object(Bucket=bucket, Key="copy")
    assert _code(missing) == "NoSuchKey"
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a/b c+d.bin"}, {"Key": "never there"}]})
    assert {entry["Key"] for entry in deleted["Deleted"]} == {"a/b c+d.bin", "never there"}
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)


def test_buckets_are_made_listed_and_removed(s3: Any, remote: Any) -> None:
    s3.create_bucket(Bucket="made-by-boto3")
    assert "made-by-boto3" in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert remote.head_bucket(Bucket="made-by-boto3")["ResponseMetadata"]["HTTPStatusCode"] == 200
    s3.put_object(Bucket="made-by-boto3", Key="k", Body=b"")
    s3.delete_object(Bucket="made-by-boto3", Key="k")
    s3.delete_bucket(Bucket="made-by-boto3")
    with pytest.raises(ClientError) as gone:
        s3.head_bucket(Bucket="made-by-boto3")
    assert _code(gone) == "404"


def test_managed_transfers_use_parallel_parts(s3: Any, remote: Any, bucket: str, tmp_path: Path) -> None:
    data = random.Random(2).randbytes(23 * MIB + 17)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=6)

    s3.upload_file(str(source), bucket, "big", ExtraArgs={"ContentType": "application/x-big"}, Config=parts)
    head = remote.head_object(Bucket=bucket, Key="big")
    assert head["ETag"].endswith('-5"')
    assert head["ContentType"] == "application/x-big"
    s3.download_file(bucket, "big", str(target), Config=parts)
    assert _sha256(target.read_bytes()) == _sha256(data)
    stored = remote.get_object(Bucket=bucket, Key="big")["Body"].read()
    assert _sha256(stored) == _sha256(data)

    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copied in parts", Config=parts)
    received = io.BytesIO()
    s3.download_fileobj(bucket, "copied in parts", received, Config=parts)
    assert _sha256(received.getvalue()) == _sha256(data)


def test_a_multipart_upload_by_hand(s3: Any, remote: Any, bucket: str) -> None:
    chunks = [random.Random(number).randbytes(5 * MIB) for number in (1, 2)] + [b"tail"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32")["UploadId"]
    assert [entry["UploadId"] for entry in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    parts = []
    for number, chunk in enumerate(chunks, 1):
        part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=chunk)
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]})
    listed = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in listed] == [(1, 5 * MIB), (2, 5 * MIB), (3, 4)]
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert _sha256(remote.get_object(Bucket=bucket, Key="k")["Body"].read()) == _sha256(b"".join(chunks))

    dropped = s3.create_multipart_upload(Bucket=bucket, Key="dropped")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="dropped", UploadId=dropped, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(Bucket=bucket, Key="dropped", UploadId=dropped)
    assert "Uploads" not in remote.list_multipart_uploads(Bucket=bucket)


def test_pages_of_a_listing(s3: Any, bucket: str) -> None:
    names = sorted(f"{folder}/key {number:02}" for folder in ("a", "b/c", "emoji \N{SNOWMAN}") for number in range(7))
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    for operation in ("list_objects_v2", "list_objects"):
        pages = list(s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 4}))
        assert len(pages) == 6
        assert [entry["Key"] for page in pages for entry in page["Contents"]] == names
        grouped = list(s3.get_paginator(operation).paginate(Bucket=bucket, Delimiter="/"))
        folders = [entry["Prefix"] for page in grouped for entry in page.get("CommonPrefixes", [])]
        assert folders == ["a/", "b/", "emoji \N{SNOWMAN}/"]


def test_tags_of_an_object(s3: Any, remote: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="first=1&second=two%20words")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "third", "Value": "3 + more"}]})
    assert remote.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "third", "Value": "3 + more"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "third", "Value": "3 + more"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_conditional_reads_and_writes(s3: Any, remote: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"first", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as exists:
        s3.put_object(Bucket=bucket, Key="k", Body=b"second", IfNoneMatch="*")
    assert _code(exists) == "PreconditionFailed"
    with pytest.raises(ClientError) as other:
        s3.put_object(Bucket=bucket, Key="k", Body=b"second", IfMatch='"00000000000000000000000000000000"')
    assert _code(other) == "PreconditionFailed"
    assert remote.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"
    s3.put_object(Bucket=bucket, Key="k", Body=b"second", IfMatch=etag)
    with pytest.raises(ClientError) as changed:
        s3.get_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert changed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    with pytest.raises(ClientError) as same:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=s3.head_object(Bucket=bucket, Key="k")["ETag"])
    assert same.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
    with pytest.raises(ClientError) as beyond:
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=100-")
    assert _code(beyond) == "InvalidRange"


def test_a_streaming_body_is_read_in_pieces_and_can_be_dropped(s3: Any, bucket: str) -> None:
    data = random.Random(3).randbytes(9 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(data))
    body = s3.get_object(Bucket=bucket, Key="k")["Body"]
    digest = hashlib.sha256()
    for piece in body.iter_chunks(100_001):
        digest.update(piece)
    assert digest.hexdigest() == _sha256(data)
    for _ in range(12):  # more often than boto3's pool has connections
        dropped = s3.get_object(Bucket=bucket, Key="k")["Body"]
        assert dropped.read(1000) == data[:1000]
        dropped.close()
    assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=-5")["Body"].read() == data[-5:]


def test_an_empty_body_that_was_announced_gets_its_100_continue(
    endpoint: str, direct: bool, bucket: str, remote: Any
) -> None:
    """botocore announces every file with ``Expect: 100-continue``, also an empty one. It keeps a final answer in place of
    the 100 for the next answer on the same connection too (its issue 3755), and hangs. S3 does not do that to it."""
    if direct:
        pytest.skip("SeaweedFS, as every Go server, answers an empty body without 100 Continue")
    where = urlsplit(endpoint)
    head = f"PUT /{bucket}/k HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 0\r\nExpect: 100-continue\r\n"
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), answer
    assert remote.head_object(Bucket=bucket, Key="k")["ContentLength"] == 0


def test_a_refused_body_that_was_announced_leaves_the_connection_usable(s3: Any, bucket: str) -> None:
    for _ in range(3):
        with pytest.raises(ClientError):
            s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(b"x" * 1000), ContentMD5="AAAA")
        s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(b"x" * 1000))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x" * 1000


@pytest.mark.parametrize(
    "wrong",
    [
        {"ContentMD5": "rL0Y20zC+Fzt72VPzMSk2A=="},
        {"ChecksumCRC32": "AAAAAA=="},
        {"ChecksumSHA256": "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="},
        {"ChecksumCRC64NVME": "AAAAAAAAAAA="},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_body_that_does_not_match_never_becomes_an_object(
    s3: Any, remote: Any, bucket: str, wrong: dict[str, str]
) -> None:
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="k", Body=b"not what was declared", **wrong)
    assert _code(refused) in {"BadDigest", "InvalidDigest"}
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_the_checksum_that_the_client_computed_is_the_one_stored(
    s3: Any, remote: Any, bucket: str, algorithm: str
) -> None:
    data = random.Random(4).randbytes(MIB + 1)
    put = s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(data), ChecksumAlgorithm=algorithm)
    head = remote.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == data  # botocore compares the checksum while it reads


def test_buckets_in_the_host_name(
    endpoint: str,
    credentials: dict[str, str],
    direct: bool,
    remote: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if direct:
        pytest.skip("SeaweedFS has no base domain configured")
    monkeypatch.setattr(socket, "getaddrinfo", _with_localhost(socket.getaddrinfo))
    client = boto3.client(
        "s3",
        endpoint_url=f"http://localhost:{urlsplit(endpoint).port}",
        config=Config(s3={"addressing_style": "virtual"}, retries=ONCE),
        **credentials,
    )
    asked: list[str] = []
    client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.url))
    client.put_object(Bucket=bucket, Key="in the/host name", Body=b"x")
    assert client.get_object(Bucket=bucket, Key="in the/host name")["Body"].read() == b"x"
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["in the/host name"]
    client.close()
    assert all(urlsplit(url).hostname == f"{bucket}.localhost" for url in asked)
    assert remote.head_object(Bucket=bucket, Key="in the/host name")["ContentLength"] == 1


def _with_localhost(original: Any) -> Any:
    """Names below ``localhost`` are loopback (RFC 6761 section 6.3); the C library does not know that everywhere."""

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return original("127.0.0.1" if name and name.endswith("localhost") else name, *rest, **options)

    return getaddrinfo
