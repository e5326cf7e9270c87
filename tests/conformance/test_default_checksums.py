"""The checksum that S3 gives every object that came without one: CRC64NVME of the whole."""

from __future__ import annotations

import pytest
from conformance.calling import call
from model.checksums import checksum

from s3d.s3.backend import Backend

BODY = b"0123456789"
DEFAULT = {"ChecksumCRC64NVME": checksum("CRC64NVME", BODY), "ChecksumType": "FULL_OBJECT"}


@pytest.mark.capability("default_checksum")
@pytest.mark.parametrize("body", [b"", BODY, BODY * 50_000], ids=["empty", "small", "large"])
async def test_every_object_has_one(backend: Backend, bucket: str, body: bytes) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    expected = {"ChecksumCRC64NVME": checksum("CRC64NVME", body), "ChecksumType": "FULL_OBJECT"}
    assert (await call(backend, "PutObject", where, body)).items() >= expected.items()
    for operation in ("GetObject", "HeadObject"):
        got = await call(backend, operation, {**where, "ChecksumMode": "ENABLED"})
        assert got.items() >= expected.items()


@pytest.mark.capability("default_checksum")
async def test_it_is_in_attributes_and_lists(backend: Backend, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", where, BODY)
    got = await call(backend, "GetObjectAttributes", {**where, "ObjectAttributes": ["Checksum"]})
    assert got["Checksum"] == DEFAULT
    (entry,) = (await call(backend, "ListObjectsV2", {"Bucket": bucket}))["Contents"]
    assert (entry["ChecksumAlgorithm"], entry["ChecksumType"]) == (["CRC64NVME"], "FULL_OBJECT")


@pytest.mark.capability("default_checksum")
async def test_a_copy_has_that_of_its_source(backend: Backend, bucket: str) -> None:
    sha = {"ChecksumSHA256": checksum("SHA256", BODY)}
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "plain"}, BODY)
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "sha", **sha}, BODY)
    for key, expected in (("plain", DEFAULT), ("sha", sha)):
        done = await call(backend, "CopyObject", {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/{key}"})
        assert done["CopyObjectResult"].items() >= expected.items()
        got = await call(backend, "HeadObject", {"Bucket": bucket, "Key": "copy", "ChecksumMode": "ENABLED"})
        assert got.items() >= expected.items()


@pytest.mark.capability("copy_checksum")
async def test_a_copy_can_have_another(backend: Backend, bucket: str) -> None:
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k"}, BODY)
    asked = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/k", "ChecksumAlgorithm": "SHA1"}
    done = await call(backend, "CopyObject", asked)
    assert done["CopyObjectResult"]["ChecksumSHA1"] == checksum("SHA1", BODY)
