"""An https endpoint: over TLS the SDKs send bodies unsigned, in aws-chunked with a checksum in the trailer."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import peers
import pytest
from boto3.s3.transfer import TransferConfig

MIB = 1 << 20


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names, "-out", cert, "-keyout", key], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def secure(seaweedfs: peers.Server, certificate: tuple[Path, Path]) -> Iterator[Any]:
    """boto3 speaking https to s3d."""
    cert, key = certificate
    port = peers.free_port()
    settings = {"S3D_ENDPOINT": f"https://127.0.0.1:{port}", "S3D_TLS_CERT": str(cert), "S3D_TLS_KEY": str(key)}
    with peers.s3d(seaweedfs.url, **settings):
        client = boto3.client(
            "s3",
            endpoint_url=f"https://localhost:{port}",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            region_name=peers.REGION,
            verify=str(cert),
        )
        yield client
        client.close()


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
@pytest.mark.parametrize("size", [0, 1, 100_000, 3 * MIB])
def test_trailing_checksums_are_stored_at_the_remote(
    secure: Any, remote: Any, bucket: str, algorithm: str, size: int
) -> None:
    body = os.urandom(size)
    answer = secure.put_object(Bucket=bucket, Key="key", Body=body, ChecksumAlgorithm=algorithm)
    stored = remote.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert stored["Body"].read() == body
    assert stored[f"Checksum{algorithm}"] == answer[f"Checksum{algorithm}"]
    assert "ContentEncoding" not in stored


def test_multipart_upload(secure: Any, remote: Any, bucket: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(20 * MIB))
    secure.upload_file(str(file), bucket, "key", Config=TransferConfig(multipart_threshold=5 * MIB))
    assert remote.get_object(Bucket=bucket, Key="key")["Body"].read() == file.read_bytes()
    secure.download_file(bucket, "key", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
