"""Digests that a request declares: verified, kept, and said again when asked."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from conformance.calling import call, refused
from conformance.capabilities import cases
from model.checksums import DIGESTS, checksum

from s3d.s3.backend import Backend

BODY = b"0123456789"


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@pytest.mark.parametrize("algorithm", sorted(DIGESTS))
@pytest.mark.capability("checksum_kept")
async def test_a_right_checksum_is_kept(backend: Backend, bucket: str, algorithm: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    declared = {f"Checksum{algorithm}": checksum(algorithm, BODY)}
    put = await call(backend, "PutObject", {**where, **declared}, BODY)
    assert put.items() >= declared.items()
    got = await call(backend, "HeadObject", {**where, "ChecksumMode": "ENABLED"})
    assert got.items() >= declared.items()
    assert f"Checksum{algorithm}" not in await call(backend, "HeadObject", where)


@pytest.mark.parametrize("algorithm", sorted(DIGESTS))
@pytest.mark.capability("checksum_verified")
async def test_a_wrong_checksum_stores_nothing(backend: Backend, bucket: str, algorithm: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    with refused(400, "BadDigest"):
        await call(backend, "PutObject", {**where, f"Checksum{algorithm}": checksum(algorithm, b"other")}, BODY)
    with refused(404, "NoSuchKey"):
        await call(backend, "GetObject", where)


async def test_a_right_md5(backend: Backend, bucket: str) -> None:
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "k", "ContentMD5": _md5(BODY)}, BODY)


@pytest.mark.capability("md5_verified")
async def test_a_wrong_md5_stores_nothing(backend: Backend, bucket: str) -> None:
    with refused(400, "BadDigest"):
        await call(backend, "PutObject", {"Bucket": bucket, "Key": "k", "ContentMD5": _md5(b"other")}, BODY)
    with refused(404, "NoSuchKey"):
        await call(backend, "GetObject", {"Bucket": bucket, "Key": "k"})


MALFORMED = {"no-base64": "xyz", "too-short": "AAAA", "empty": ""}


@pytest.mark.parametrize("case", cases("malformed_md5", MALFORMED))
async def test_a_malformed_md5(backend: Backend, bucket: str, case: str) -> None:
    with refused(400, "InvalidDigest"):
        await call(backend, "PutObject", {"Bucket": bucket, "Key": "k", "ContentMD5": MALFORMED[case]}, BODY)


@pytest.mark.capability("attributes_checksum")
async def test_the_checksum_in_the_attributes(backend: Backend, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    declared = {"ChecksumSHA256": checksum("SHA256", BODY)}
    await call(backend, "PutObject", {**where, **declared}, BODY)
    got = await call(backend, "GetObjectAttributes", {**where, "ObjectAttributes": ["Checksum"]})
    assert got["Checksum"].items() >= declared.items()
