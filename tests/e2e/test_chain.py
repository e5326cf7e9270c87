"""An s3d whose remote is another s3d that speaks TLS: the remote side over https, large bodies both ways included."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peers
import pytest
from e2e.boto import s3_client
from e2e.target import Target

pytestmark = [pytest.mark.peer, pytest.mark.parametrize("target", ["gateway", "standalone"], indirect=True)]

MIB = 1 << 20


@pytest.fixture(scope="module")
def inner(target: Target, certificate: tuple[Path, Path]) -> Iterator[str]:
    """The URL of an s3d in front of the store that speaks TLS."""
    cert, key = certificate
    url = f"https://127.0.0.1:{peers.free_port()}"
    with peers.s3d(target.store.url, S3D_ENDPOINT=url, S3D_TLS_CERT=str(cert), S3D_TLS_KEY=str(key)):
        yield url


@pytest.mark.parametrize("size", [0, 1, 70_000, 40 * MIB + 1])
def test_bodies_over_tls(inner: str, certificate: tuple[Path, Path], remote: Any, bucket: str, size: int) -> None:
    data = random.Random(size).randbytes(size)
    with peers.s3d(inner, S3D_REMOTE_CA_BUNDLE=str(certificate[0])) as outer:
        s3 = s3_client(outer.url)
        s3.put_object(Bucket=bucket, Key="key", Body=data)
        assert remote.get_object(Bucket=bucket, Key="key")["Body"].read() == data
        for _ in range(3):  # on the same connection to the remote
            answer = s3.get_object(Bucket=bucket, Key="key")
            assert answer["Body"].read() == data
        assert answer["ResponseMetadata"]["HTTPHeaders"]["x-s3d-state"] == "remote"
        s3.close()


def test_a_certificate_that_nobody_vouches_for_is_no_remote(inner: str, bucket: str) -> None:
    with peers.s3d(inner, warnings=["the remote does not answer"]) as outer:
        s3 = s3_client(outer.url)
        with pytest.raises(s3.exceptions.ClientError, match=r"ServiceUnavailable.*certificate"):
            s3.list_objects_v2(Bucket=bucket)
        s3.close()
