"""Checksums of objects that came in parts."""

from __future__ import annotations

import random

import pytest
from model.checksums import checksum, composite
from multidict import CIMultiDict

from s3d.s3.errors import S3Error
from s3d.standalone import checksums


def _stored(name: str, data: bytes) -> str:
    return f"{name}:{checksum(name, data)}"


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "CRC64NVME"])
@pytest.mark.parametrize("sizes", [[0], [1], [5, 0, 7], [1 << 20, 3, (1 << 20) + 1], [0, 0, 9]])
def test_of_the_whole(name: str, sizes: list[int]) -> None:
    parts = [random.Random(size).randbytes(size) for size in sizes]
    combined = checksums.full_object(checksums.BY_NAME[name], ((_stored(name, part), len(part)) for part in parts))
    assert combined == _stored(name, b"".join(parts))


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "SHA1", "SHA256"])
@pytest.mark.parametrize("count", [1, 3])
def test_of_the_parts(name: str, count: int) -> None:
    parts = [b"%d" % number for number in range(count)]
    found = checksums.composite(checksums.BY_NAME[name], [_stored(name, part) for part in parts])
    assert found == f"{name}:{composite(name, [checksum(name, part) for part in parts])}"
    assert checksums.members(found)["ChecksumType"] == "COMPOSITE"


def test_the_algorithm_of_a_stored_one() -> None:
    assert checksums.algorithm_of("SHA1:AAAA-3").name == "SHA1"
    assert checksums.algorithm_of(None) is checksums.DEFAULT


def test_the_algorithm_that_is_named_is_that_of_the_checksum() -> None:
    headers = CIMultiDict({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "crc32"})
    assert checksums.of_body(headers).algorithm.name == "CRC32"
    headers["x-amz-sdk-checksum-algorithm"] = "SHA256"
    with pytest.raises(S3Error, match="Value for x-amz-sdk-checksum-algorithm header is invalid"):
        checksums.of_body(headers)
