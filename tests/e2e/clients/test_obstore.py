"""obstore, on the object_store crate of Rust: conditional writes, parallel ranges, streamed uploads."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

pytestmark = pytest.mark.peer

MIB = 1 << 20


@pytest.fixture
def store(endpoint: str, credentials: dict[str, str], bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=endpoint,
        access_key_id=credentials["aws_access_key_id"],
        secret_access_key=credentials["aws_secret_access_key"],
        region=credentials["region_name"],
        client_options={"allow_http": True},
        checksum_algorithm="sha256",
    )


def test_objects(store: S3Store, remote: Any, bucket: str) -> None:
    data = random.Random(1).randbytes(12 * MIB)
    store.put("d/big é", data, attributes={"Content-Type": "text/x-rust"}, chunk_size=5 * MIB, use_multipart=True)
    stored = remote.get_object(Bucket=bucket, Key="d/big é")
    assert (stored["ContentType"], stored["ETag"][-3:]) == ("text/x-rust", '-3"')
    assert stored["Body"].read() == data
    assert bytes(store.get("d/big é").bytes()) == data
    parts = store.get_ranges("d/big é", starts=[0, 7 * MIB], lengths=[10, 20])
    assert [bytes(part) for part in parts] == [data[:10], data[7 * MIB : 7 * MIB + 20]]
    store.put("small", b"first", tags={"team": "red"})
    assert remote.get_object_tagging(Bucket=bucket, Key="small")["TagSet"] == [{"Key": "team", "Value": "red"}]
    store.copy("small", "copied")
    store.rename("copied", "renamed")
    assert [entry["path"] for page in store.list() for entry in page] == ["d/big é", "renamed", "small"]
    assert store.list_with_delimiter()["common_prefixes"] == ["d"]
    store.delete(["d/big é", "renamed", "small"])
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)


def test_conditional_writes(store: S3Store) -> None:
    first = store.put("k", b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put("k", b"second", mode="create")
    store.put("k", b"second", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        store.put("k", b"third", mode={"e_tag": first["e_tag"]})
    assert bytes(store.get("k").bytes()) == b"second"


def test_a_presigned_url(store: S3Store, run: Any) -> None:
    store.put("a b", b"by url")
    assert run("curl", "--silent", "--fail", obstore.sign(store, "GET", "a b", timedelta(minutes=5))) == "by url"
