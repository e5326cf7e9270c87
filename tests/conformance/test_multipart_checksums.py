"""Checksums of multipart uploads: of parts, composite, of the whole ("Checking object integrity", S3 User Guide)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from conformance.calling import Members, call, refused
from conformance.capabilities import cases
from model.checksums import DIGESTS, checksum, composite

from s3d.s3.backend import Backend

PART = bytes(range(256)) * (5 << 12)
TAIL = b"tail"
BODIES = (PART, TAIL)


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


class Uploads:
    """One upload of two parts, with its checksums."""

    def __init__(self, backend: Backend, bucket: str, algorithm: str | None = None) -> None:
        self.backend, self.algorithm = backend, algorithm
        self.where: Members = {"Bucket": bucket, "Key": "k"}
        self.upload: Members = {}

    async def create(self, **members: Any) -> Members:
        asked = {"ChecksumAlgorithm": self.algorithm} if self.algorithm else {}
        started = await call(self.backend, "CreateMultipartUpload", {**self.where, **asked, **members})
        self.upload = {**self.where, "UploadId": started["UploadId"]}
        return started

    def sum(self, body: bytes) -> Members:
        return {f"Checksum{self.algorithm}": checksum(self.algorithm, body)} if self.algorithm else {}

    async def fill(self) -> None:
        for number, body in enumerate(BODIES, 1):
            await self.part(number, body, **self.sum(body))

    async def part(self, number: int, body: bytes, **members: Any) -> Members:
        return await call(self.backend, "UploadPart", {**self.upload, "PartNumber": number, **members}, body)

    async def complete(self, *, named: bool = True, **members: Any) -> Members:
        parts = [
            {"PartNumber": number, "ETag": _etag(body), **(self.sum(body) if named else {})}
            for number, body in enumerate(BODIES, 1)
        ]
        document = {"MultipartUpload": {"Parts": parts}}
        return await call(self.backend, "CompleteMultipartUpload", {**self.upload, **document, **members})

    @property
    def composite(self) -> str:
        assert self.algorithm
        return composite(self.algorithm, [checksum(self.algorithm, body) for body in BODIES])

    @property
    def whole(self) -> str:
        assert self.algorithm
        return checksum(self.algorithm, PART + TAIL)


@pytest.mark.parametrize("algorithm", cases("composite", ["CRC32", "CRC32C", "SHA1", "SHA256"]))
async def test_a_composite_checksum(backend: Backend, bucket: str, algorithm: str) -> None:
    uploads = Uploads(backend, bucket, algorithm)
    started = await uploads.create()
    assert (started["ChecksumAlgorithm"], started["ChecksumType"]) == (algorithm, "COMPOSITE")
    await uploads.fill()
    done = await uploads.complete()
    expected = {f"Checksum{algorithm}": uploads.composite, "ChecksumType": "COMPOSITE"}
    assert done.items() >= expected.items()
    assert (await call(backend, "HeadObject", {**uploads.where, "ChecksumMode": "ENABLED"})).items() >= expected.items()


@pytest.mark.parametrize("algorithm", cases("full_object", ["CRC32", "CRC32C", "CRC64NVME"]))
async def test_a_checksum_of_the_whole(backend: Backend, bucket: str, algorithm: str) -> None:
    uploads = Uploads(backend, bucket, algorithm)
    started = await uploads.create(ChecksumType="FULL_OBJECT")
    assert (started["ChecksumAlgorithm"], started["ChecksumType"]) == (algorithm, "FULL_OBJECT")
    await uploads.fill()
    done = await uploads.complete(named=False)
    expected = {f"Checksum{algorithm}": uploads.whole, "ChecksumType": "FULL_OBJECT"}
    assert done.items() >= expected.items()
    assert (await call(backend, "HeadObject", {**uploads.where, "ChecksumMode": "ENABLED"})).items() >= expected.items()


@pytest.mark.capability("default_multipart_checksum")
async def test_the_default_is_crc64nvme_of_the_whole(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket)
    assert "ChecksumAlgorithm" not in await uploads.create()
    await uploads.fill()
    done = await uploads.complete()
    assert (done["ChecksumCRC64NVME"], done["ChecksumType"]) == (checksum("CRC64NVME", PART + TAIL), "FULL_OBJECT")


@pytest.mark.capability("crc64nvme_is_of_the_whole")
async def test_crc64nvme_is_always_of_the_whole(backend: Backend, bucket: str) -> None:
    assert (await Uploads(backend, bucket, "CRC64NVME").create())["ChecksumType"] == "FULL_OBJECT"


WRONG: dict[str, Members] = {
    "type-alone": {"ChecksumType": "FULL_OBJECT"},
    "sha256-of-the-whole": {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"},
    "sha1-of-the-whole": {"ChecksumAlgorithm": "SHA1", "ChecksumType": "FULL_OBJECT"},
    "composite-crc64nvme": {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
}


@pytest.mark.parametrize("case", cases("wrong_upload_checksum", WRONG))
async def test_a_combination_that_s3_does_not_have(backend: Backend, bucket: str, case: str) -> None:
    with refused(400, "InvalidRequest"):
        await call(backend, "CreateMultipartUpload", {"Bucket": bucket, "Key": "k", **WRONG[case]})


@pytest.mark.parametrize("algorithm", cases("part_checksum_verified", sorted(DIGESTS)))
async def test_a_part_with_a_wrong_checksum(backend: Backend, bucket: str, algorithm: str) -> None:
    uploads = Uploads(backend, bucket, algorithm)
    await uploads.create()
    with refused(400, "BadDigest"):
        await uploads.part(1, TAIL, **uploads.sum(b"other"))
    assert not (await call(backend, "ListParts", uploads.upload)).get("Parts")


@pytest.mark.capability("part_checksum_of_another_algorithm")
async def test_a_part_with_another_algorithm(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket, "SHA256")
    await uploads.create()
    with refused(400, "InvalidRequest"):
        await uploads.part(1, TAIL, ChecksumCRC32=checksum("CRC32", TAIL))


@pytest.mark.capability("part_checksum_missing")
async def test_a_part_without_the_checksum_of_a_composite(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket, "SHA256")
    await uploads.create()
    with refused(400, "InvalidRequest"):
        await uploads.part(1, TAIL)


@pytest.mark.capability("complete_without_part_checksums")
async def test_a_composite_names_the_checksums_of_its_parts(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket, "SHA256")
    await uploads.create()
    await uploads.fill()
    with refused(400, "InvalidRequest"):
        await uploads.complete(named=False)


@pytest.mark.capability("complete_wrong_part_checksum")
async def test_a_completion_with_a_wrong_part_checksum(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket, "CRC32")
    await uploads.create()
    await uploads.part(1, TAIL, **uploads.sum(TAIL))
    part = {"PartNumber": 1, "ETag": _etag(TAIL), **uploads.sum(b"other")}
    with refused(400, "InvalidPart", elements={"PartNumber": "1", "ETag": _etag(TAIL).strip('"')}):
        await call(backend, "CompleteMultipartUpload", {**uploads.upload, "MultipartUpload": {"Parts": [part]}})


SAID: dict[str, tuple[str, str]] = {
    "composite": ("COMPOSITE", "composite"),
    "full-object": ("FULL_OBJECT", "whole"),
}


@pytest.mark.parametrize("case", cases("complete_checksum", SAID))
async def test_a_completion_says_the_checksum(backend: Backend, bucket: str, case: str) -> None:
    kind, name = SAID[case]
    uploads = Uploads(backend, bucket, "CRC32")
    await uploads.create(ChecksumType=kind)
    await uploads.fill()
    with refused(400, "BadDigest"):
        await uploads.complete(ChecksumCRC32=checksum("CRC32", b"other"))
    with refused(400, "InvalidRequest"):
        await uploads.complete(ChecksumCRC32="bad")
    done = await uploads.complete(ChecksumCRC32=getattr(uploads, name), ChecksumType=kind)
    assert done["ChecksumCRC32"] == getattr(uploads, name)


@pytest.mark.capability("complete_checksum_type")
async def test_a_completion_of_another_type(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket, "CRC32")
    await uploads.create(ChecksumType="COMPOSITE")
    await uploads.fill()
    with refused(400, "InvalidRequest", "BadDigest"):
        await uploads.complete(ChecksumType="FULL_OBJECT")


@pytest.mark.capability("complete_size")
async def test_a_completion_says_the_size(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket)
    await uploads.create()
    await uploads.fill()
    with refused(400, "InvalidRequest"):
        await uploads.complete(MpuObjectSize=len(PART))
    await uploads.complete(MpuObjectSize=len(PART + TAIL))


@pytest.mark.capability("copied_part_checksum")
async def test_the_checksum_of_a_copied_part(backend: Backend, bucket: str) -> None:
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "source"}, b"0123456789")
    uploads = Uploads(backend, bucket, "SHA256")
    await uploads.create()
    source = {"PartNumber": 1, "CopySource": f"{bucket}/source", "CopySourceRange": "bytes=2-4"}
    done = await call(backend, "UploadPartCopy", {**uploads.upload, **source})
    assert done["CopyPartResult"]["ChecksumSHA256"] == checksum("SHA256", b"234")


@pytest.mark.capability("listed_part_checksums")
async def test_lists_say_the_checksums(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket, "CRC32C")
    await uploads.create()
    await uploads.fill()
    found = await call(backend, "ListParts", uploads.upload)
    assert [part["ChecksumCRC32C"] for part in found["Parts"]] == [checksum("CRC32C", body) for body in BODIES]
    assert (found["ChecksumAlgorithm"], found["ChecksumType"]) == ("CRC32C", "COMPOSITE")
    (entry,) = (await call(backend, "ListMultipartUploads", {"Bucket": bucket}))["Uploads"]
    assert (entry["ChecksumAlgorithm"], entry["ChecksumType"]) == ("CRC32C", "COMPOSITE")


@pytest.mark.capability("part_attributes")
async def test_pages_of_parts_in_the_attributes(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket, "CRC32")
    await uploads.create()
    await uploads.fill()
    await uploads.complete()
    wanted = {**uploads.where, "ObjectAttributes": ["ObjectParts", "Checksum"]}
    got = await call(backend, "GetObjectAttributes", {**wanted, "MaxParts": 1})
    assert got["Checksum"] == {"ChecksumCRC32": uploads.composite.partition("-")[0], "ChecksumType": "COMPOSITE"}
    first = got["ObjectParts"]
    assert first["Parts"] == [{"PartNumber": 1, "Size": len(PART), "ChecksumCRC32": checksum("CRC32", PART)}]
    assert (first["TotalPartsCount"], first["IsTruncated"], first["MaxParts"]) == (2, True, 1)
    marker = str(first["NextPartNumberMarker"])
    second = (await call(backend, "GetObjectAttributes", {**wanted, "PartNumberMarker": marker}))["ObjectParts"]
    assert ([part["PartNumber"] for part in second["Parts"]], second["IsTruncated"]) == ([2], False)


@pytest.mark.capability("full_object_attributes")
async def test_the_parts_of_a_whole_are_only_counted(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket, "CRC32")
    await uploads.create(ChecksumType="FULL_OBJECT")
    await uploads.fill()
    await uploads.complete()
    got = await call(backend, "GetObjectAttributes", {**uploads.where, "ObjectAttributes": ["ObjectParts"]})
    assert (got["ObjectParts"]["TotalPartsCount"], got["ObjectParts"].get("Parts")) == (2, None)


@pytest.mark.capability("checksum_of_a_read_part")
async def test_the_checksum_of_a_part_that_is_read(backend: Backend, bucket: str) -> None:
    uploads = Uploads(backend, bucket, "SHA256")
    await uploads.create()
    await uploads.fill()
    await uploads.complete()
    got = await call(backend, "GetObject", {**uploads.where, "PartNumber": 2, "ChecksumMode": "ENABLED"})
    assert (got["Body"], got["ChecksumSHA256"]) == (TAIL, checksum("SHA256", TAIL))


@pytest.mark.capability("checksum_of_a_range")
async def test_a_range_has_no_checksum(backend: Backend, bucket: str) -> None:
    """A client would verify the piece with the checksum of the whole."""
    where = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", {**where, "ChecksumSHA256": checksum("SHA256", TAIL)}, TAIL)
    got = await call(backend, "GetObject", {**where, "Range": "bytes=0-1", "ChecksumMode": "ENABLED"})
    assert (got["Body"], got.get("ChecksumSHA256")) == (b"ta", None)
