"""The AWS Common Runtime: many ranged requests in parallel for one object, each with If-Match, and parallel parts.

It sits below boto3's ``preferred_transfer_client="crt"``, the aws cli, and mountpoint. boto3 itself hard-wires TLS for it,
so these tests build the same transfer manager from s3transfer's parts, with plain HTTP.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.s3 import (
    S3ChecksumAlgorithm,
    S3ChecksumConfig,
    S3ChecksumLocation,
    S3Client,
    S3RequestTlsMode,
    S3RequestType,
    create_default_s3_signing_config,
)
from boto3.s3.transfer import TransferConfig
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)

pytestmark = pytest.mark.peer

MIB = 1 << 20
SECONDS = 120


@pytest.fixture(scope="module")
def crt(credentials: dict[str, str]) -> S3Client:
    provider = AwsCredentialsProvider.new_static(credentials["aws_access_key_id"], credentials["aws_secret_access_key"])
    region = credentials["region_name"]
    return S3Client(
        region=region,
        tls_mode=S3RequestTlsMode.DISABLED,
        signing_config=create_default_s3_signing_config(region=region, credential_provider=provider),
        part_size=8 * MIB,
        multipart_upload_threshold=8 * MIB,
        throughput_target_gbps=4,
    )


@pytest.fixture
def manager(endpoint: str, credentials: dict[str, str]) -> Iterator[CRTTransferManager]:
    session = botocore.session.Session()
    session.set_credentials(credentials["aws_access_key_id"], credentials["aws_secret_access_key"])
    region = credentials["region_name"]
    wrapper = BotocoreCRTCredentialsWrapper(session.get_credentials())
    client = create_s3_crt_client(region, wrapper.to_crt_credentials_provider(), use_ssl=False)
    serializer = BotocoreCRTRequestSerializer(session, {"region_name": region, "endpoint_url": endpoint})
    parts = TransferConfig(preferred_transfer_client="crt", multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB)
    with CRTTransferManager(client, serializer, config=parts) as transfers:
        yield transfers


def _request(endpoint: str, method: str, path: str, **headers: str) -> HttpRequest:
    fields = [
        ("Host", urlsplit(endpoint).netloc),
        *((name.replace("_", "-"), value) for name, value in headers.items()),
    ]
    return HttpRequest(method, path, HttpHeaders(fields))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_parallel_ranges_of_a_large_object(
    crt: S3Client, endpoint: str, remote: Any, bucket: str, tmp_path: Path
) -> None:
    data = random.Random(1).randbytes(200 * MIB)
    remote.put_object(Bucket=bucket, Key="large", Body=data)
    target = tmp_path / "target"
    answers: list[int] = []
    transfer = crt.make_request(
        type=S3RequestType.GET_OBJECT,
        request=_request(endpoint, "GET", f"/{bucket}/large"),
        recv_filepath=str(target),
        on_headers=lambda status_code, **_: answers.append(status_code),
    )
    transfer.finished_future.result(SECONDS)
    assert answers == [200]
    assert _digest(target) == hashlib.sha256(data).hexdigest()


def test_a_range_and_a_condition_of_the_caller(crt: S3Client, endpoint: str, remote: Any, bucket: str) -> None:
    data = random.Random(2).randbytes(20 * MIB)
    etag = remote.put_object(Bucket=bucket, Key="k", Body=data)["ETag"]
    received = bytearray(MIB)

    def store(chunk: bytes, offset: int, **_: Any) -> None:
        received[offset - 5 * MIB : offset - 5 * MIB + len(chunk)] = chunk

    request = _request(endpoint, "GET", f"/{bucket}/k", Range=f"bytes={5 * MIB}-{6 * MIB - 1}", If_Match=etag)
    crt.make_request(type=S3RequestType.GET_OBJECT, request=request, on_body=store).finished_future.result(SECONDS)
    assert received == data[5 * MIB : 6 * MIB]

    other = _request(endpoint, "GET", f"/{bucket}/k", If_Match='"00000000000000000000000000000000"')
    refused = crt.make_request(type=S3RequestType.GET_OBJECT, request=other)
    assert getattr(refused.finished_future.exception(SECONDS), "status_code", None) == 412


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_parallel_parts_with_checksums_in_trailers(
    crt: S3Client, endpoint: str, remote: Any, bucket: str, tmp_path: Path, algorithm: str
) -> None:
    data = random.Random(3).randbytes(20 * MIB + 1)
    source = tmp_path / "source"
    source.write_bytes(data)
    checksum = S3ChecksumConfig(algorithm=S3ChecksumAlgorithm[algorithm], location=S3ChecksumLocation.TRAILER)
    upload = crt.make_request(
        type=S3RequestType.PUT_OBJECT,
        request=_request(endpoint, "PUT", f"/{bucket}/k", Content_Length=str(len(data)), Content_Type="text/x-crt"),
        send_filepath=str(source),
        checksum_config=checksum,
    )
    upload.finished_future.result(SECONDS)
    stored = remote.get_object(Bucket=bucket, Key="k")
    assert stored["ETag"].endswith('-3"')
    assert stored["ContentType"] == "text/x-crt"
    assert hashlib.sha256(stored["Body"].read()).digest() == hashlib.sha256(data).digest()


def test_the_transfer_manager_of_boto3(manager: CRTTransferManager, remote: Any, bucket: str, tmp_path: Path) -> None:
    data = random.Random(4).randbytes(40 * MIB + 3)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    manager.upload(str(source), bucket, "folder/k 1", {"Metadata": {"owner": "me"}}).result()
    assert remote.head_object(Bucket=bucket, Key="folder/k 1")["Metadata"] == {"owner": "me"}
    manager.download(bucket, "folder/k 1", str(target)).result()
    assert _digest(target) == hashlib.sha256(data).hexdigest()
    stored = remote.get_object(Bucket=bucket, Key="folder/k 1")["Body"].read()
    assert hashlib.sha256(stored).digest() == hashlib.sha256(data).digest()
    manager.delete(bucket, "folder/k 1").result()
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)
