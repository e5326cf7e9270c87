"""Checking a body in one pass, in and out of the worker thread."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from multidict import CIMultiDict

from s3d.s3.checksums import declared
from s3d.s3.errors import S3Error
from s3d.server.digest import Digest


def digest_for(data: bytes) -> Digest:
    headers = {
        "Content-MD5": base64.b64encode(hashlib.md5(data).digest()).decode(),
        "x-amz-checksum-crc32": base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode(),
    }
    return Digest(declared(CIMultiDict(headers), payload_sha256=hashlib.sha256(data).hexdigest()))


@pytest.mark.parametrize("size", [0, 1, 200_000, 1 << 20, 5_000_001])
@pytest.mark.parametrize("piece", [65_536, 1 << 20, 3_000_000])
async def test_holds(size: int, piece: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    digest = digest_for(data)
    for start in range(0, size, piece):
        await digest.update(data[start : start + piece])
    await digest.verify()


@pytest.mark.parametrize("size", [1, 200_000, 5_000_000])
@pytest.mark.parametrize("wrong", [0, -1])
async def test_does_not_hold(size: int, wrong: int) -> None:
    data = bytearray(size)
    digest = digest_for(bytes(data))
    data[wrong] ^= 1
    for start in range(0, size, 300_000):
        await digest.update(bytes(data[start : start + 300_000]))
    with pytest.raises(S3Error) as caught:
        await digest.verify()
    assert caught.value.code == "XAmzContentSHA256Mismatch"


async def test_nothing_declared() -> None:
    digest = Digest([])
    await digest.update(b"anything")
    await digest.verify()
