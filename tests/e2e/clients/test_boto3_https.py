"""boto3 over TLS, where it sends other bodies than in the clear: aws-chunked with the checksum in an unsigned trailer."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import peers
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from e2e.boto import REMOTE_KEYS, s3_client
from e2e.target import Target

pytestmark = pytest.mark.peer

MIB = 1 << 20


@pytest.fixture(scope="module")
def s3(
    target: Target,
    certificate: tuple[Path, Path],
    credentials: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """A client of an s3d that speaks TLS."""
    cert, key = certificate
    url = f"https://127.0.0.1:{peers.free_port()}"
    settings = {"S3D_ENDPOINT": url, "S3D_TLS_CERT": str(cert), "S3D_TLS_KEY": str(key)}
    behind = "local:" if target.name == "standalone" else target.store.url
    with peers.s3d(behind, tmp_path_factory.mktemp("s3d-tls"), **settings):
        config = Config(retries={"total_max_attempts": 1})
        client = boto3.client("s3", endpoint_url=url, verify=str(cert), config=config, **credentials)
        yield client
        client.close()


@pytest.fixture(scope="module")
def remote(target: Target, s3: Any) -> Iterator[Any]:
    """The store behind it: an embedded one is seen through the same daemon."""
    if target.name == "standalone":
        yield s3
        return
    client = s3_client(target.store.url, REMOTE_KEYS)
    yield client
    client.close()


def test_streams_with_trailers(s3: Any, remote: Any, bucket: str) -> None:
    forms: list[bytes] = []
    s3.meta.events.register_last(
        "before-send.s3.PutObject", lambda request, **_: forms.append(request.headers["x-amz-content-sha256"])
    )
    algorithms = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]
    for size in (0, 1, 100_000, 3 * MIB):
        data = random.Random(size).randbytes(size)
        for algorithm in algorithms:
            put = s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(data), ChecksumAlgorithm=algorithm)
            stored = remote.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
            assert stored["Body"].read() == data
            assert stored[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
            assert "ContentEncoding" not in stored
    assert forms == [b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"] * 4 * len(algorithms)


def test_managed_transfers(s3: Any, remote: Any, bucket: str, tmp_path: Path) -> None:
    data = random.Random(5).randbytes(18 * MIB + 1)
    (tmp_path / "source").write_bytes(data)
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_file(str(tmp_path / "source"), bucket, "a b/+é", Config=parts)
    s3.download_file(bucket, "a b/+é", str(tmp_path / "target"), Config=parts)
    stored = remote.get_object(Bucket=bucket, Key="a b/+é")["Body"].read()
    digests = {hashlib.sha256(body).digest() for body in (data, stored, (tmp_path / "target").read_bytes())}
    assert len(digests) == 1
