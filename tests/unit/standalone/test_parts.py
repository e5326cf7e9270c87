"""UploadPart and UploadPartCopy."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Members, Pieces, call, refused
from model.checksums import checksum
from unit.standalone import opened
from unit.standalone.opened import BUCKET
from unit.standalone.uploading import PART, Waiting, add, begin, complete, etag, put_in_parts

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request
from s3d.standalone import parts
from s3d.standalone.backend import Standalone
from s3d.standalone.store import Store

backend, directory, store = opened.backend, opened.directory, opened.store
K = {"Bucket": BUCKET, "Key": "k"}
SOURCE = {"CopySource": f"{BUCKET}/source"}
LARGE = PART[: 3 << 20]


async def _copy(backend: Standalone, upload: Members, number: int = 1, **members: Any) -> Members:
    return await call(backend, "UploadPartCopy", {**upload, "PartNumber": number, **SOURCE, **members})


@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "inline", "file"])
async def test_a_part(backend: Standalone, data: bytes) -> None:
    upload = await begin(backend)
    assert (await add(backend, upload, 10_000, data))["ETag"] == etag(data)
    (listed,) = (await call(backend, "ListParts", upload))["Parts"]
    assert (listed["PartNumber"], listed["Size"], listed["ETag"]) == (10_000, len(data), etag(data))
    await complete(backend, upload, (10_000, etag(data)))
    assert (await call(backend, "GetObject", K))["Body"] == data


@pytest.mark.parametrize("number", [0, 10_001])
@pytest.mark.parametrize("operation", ["UploadPart", "UploadPartCopy"])
async def test_a_number_that_no_part_has(backend: Standalone, operation: str, number: int) -> None:
    upload = await begin(backend)
    elements = {"ArgumentName": "partNumber", "ArgumentValue": str(number)}
    source = SOURCE if operation == "UploadPartCopy" else {}
    with refused(400, "InvalidArgument", elements=elements):
        await call(backend, operation, {**upload, "PartNumber": number, **source})


async def test_an_upload_that_is_not_there(backend: Standalone) -> None:
    upload = await begin(backend)
    for wrong in ({"UploadId": "none"}, {"Key": "other"}):
        with refused(404, "NoSuchUpload", elements={"UploadId": {**upload, **wrong}["UploadId"]}):
            await add(backend, {**upload, **wrong}, 1, b"x")


async def test_what_is_replaced_is_gone(backend: Standalone, directory: Path) -> None:
    upload = await begin(backend)
    await add(backend, upload, 1, LARGE)
    await add(backend, upload, 1, LARGE[::-1])
    await add(backend, upload, 1, b"third")
    (listed,) = (await call(backend, "ListParts", upload))["Parts"]
    assert listed["ETag"] == etag(b"third")
    await backend.close()
    assert not list((directory / "bodies").glob("*/*"))
    await backend.open()


class _TooLarge:
    length = (5 << 30) + 1
    replayable = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""


async def test_too_large(backend: Standalone) -> None:
    request = codec.build_request("UploadPart", {**await begin(backend), "PartNumber": 1})
    request.body = _TooLarge()
    refusal = await _refusal(backend, request)
    assert refusal.code == "EntityTooLarge"
    assert refusal.elements == {"ProposedSize": str((5 << 30) + 1), "MaxSizeAllowed": str(5 << 30)}


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ({"ContentMD5": base64.b64encode(bytes(16)).decode(), "ChecksumCRC32": checksum("CRC32", LARGE)}, "BadDigest"),
        ({"ContentMD5": "nonsense"}, "InvalidDigest"),
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"ChecksumCRC32": "AAAA"}, "InvalidRequest"),
        ({"ChecksumSHA256": checksum("SHA256", LARGE)}, "InvalidRequest"),  # of another algorithm than the upload's
        ({}, "InvalidRequest"),  # a COMPOSITE checksum needs that of each part
    ],
)
async def test_a_checksum_that_does_not_hold(backend: Standalone, declared: dict[str, str], code: str) -> None:
    upload = await begin(backend, ChecksumAlgorithm="CRC32")
    with refused(400, code):
        await add(backend, upload, 1, LARGE, **declared)
    assert not (await call(backend, "ListParts", upload)).get("Parts")


@pytest.mark.parametrize(("given", "named"), [("SHA256", "sha256"), (None, "null")])
async def test_the_mismatch_names_both(backend: Standalone, given: str | None, named: str) -> None:
    upload = await begin(backend, ChecksumAlgorithm="CRC32C")
    declared = {f"Checksum{given}": checksum(given, b"x")} if given else {}
    with refused(400, "InvalidRequest") as refusal:
        await add(backend, upload, 1, b"x", **declared)
    assert f"expected checksum Type: crc32c, actual checksum Type: {named}" in str(refusal.value)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
@pytest.mark.parametrize("asked", [True, False])
async def test_a_checksum_that_holds(backend: Standalone, algorithm: str, asked: bool) -> None:
    upload = await begin(backend, **({"ChecksumAlgorithm": algorithm} if asked else {}))
    value = {f"Checksum{algorithm}": checksum(algorithm, LARGE)}
    assert await add(backend, upload, 1, LARGE, **value) == {"ETag": etag(LARGE), **value}
    (listed,) = (await call(backend, "ListParts", upload))["Parts"]
    assert {name: found for name, found in listed.items() if name.startswith("Checksum")} == (value if asked else {})


async def test_a_part_of_a_full_object_checksum_needs_none(backend: Standalone) -> None:
    upload = await begin(backend, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    assert await add(backend, upload, 1, b"x") == {"ETag": etag(b"x")}
    (listed,) = (await call(backend, "ListParts", upload))["Parts"]
    assert listed["ChecksumCRC32"] == checksum("CRC32", b"x")


@pytest.mark.parametrize("end", ["AbortMultipartUpload", "CompleteMultipartUpload", "DeleteBucket"])
@pytest.mark.parametrize("data", [b"small", LARGE], ids=["inline", "file"])
async def test_the_upload_ends_while_a_part_arrives(backend: Standalone, data: bytes, end: str) -> None:
    upload = await begin(backend)
    await add(backend, upload, 1, b"first")
    request = codec.build_request("UploadPart", {**upload, "PartNumber": 1})
    request.body = body = Waiting(data)
    async with asyncio.TaskGroup() as group:
        uploading = group.create_task(_refusal(backend, request))
        await body.begun.wait()
        if end == "CompleteMultipartUpload":
            await complete(backend, upload, (1, etag(b"first")))
        else:
            members = upload if end == "AbortMultipartUpload" else {"Bucket": BUCKET}
            await call(backend, end, members)
        body.go.set()
    error = uploading.result()
    if end == "DeleteBucket":
        assert error.code == "NoSuchBucket"
        return
    assert (error.code, error.elements) == ("NoSuchUpload", {"UploadId": upload["UploadId"]})
    if end == "CompleteMultipartUpload":
        assert (await call(backend, "GetObject", K))["Body"] == b"first"


async def _refusal(backend: Standalone, request: S3Request) -> S3Error:
    with pytest.raises(S3Error) as refusal:
        await backend(request)
    return refusal.value


async def test_a_client_that_goes_away(backend: Standalone) -> None:
    upload = await begin(backend)
    request = codec.build_request("UploadPart", {**upload, "PartNumber": 1})
    request.body = body = Waiting(LARGE)
    async with asyncio.TaskGroup() as group:
        uploading = group.create_task(backend(request))
        await body.begun.wait()
        uploading.cancel()
    assert not (await call(backend, "ListParts", upload)).get("Parts")


@pytest.mark.parametrize("source", [b"", b"inline" * 10, LARGE], ids=["empty", "inline", "file"])
@pytest.mark.parametrize("algorithm", [None, "SHA256", "CRC32"])
async def test_a_copied_part(backend: Standalone, source: bytes, algorithm: str | None) -> None:
    await call(backend, "PutObject", {**K, "Key": "source"}, source)
    upload = await begin(backend, **({"ChecksumAlgorithm": algorithm} if algorithm else {}))
    result = (await _copy(backend, upload))["CopyPartResult"]
    value = {f"Checksum{algorithm}": checksum(algorithm, source)} if algorithm else {}
    (listed,) = (await call(backend, "ListParts", upload))["Parts"]
    assert result == {"ETag": etag(source), "LastModified": listed["LastModified"], **value}
    document = {"Parts": [{"PartNumber": 1, "ETag": etag(source), **value}]}
    await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": document})
    assert (await call(backend, "GetObject", K))["Body"] == source


@pytest.mark.parametrize(("first", "last"), [(0, 0), (5, 99), (len(PART) - 3, len(PART) + 2), (0, len(PART) + 3)])
async def test_a_range_of_an_object_in_parts(backend: Standalone, first: int, last: int) -> None:
    await put_in_parts(backend, "source", PART, b"tail")
    upload = await begin(backend)
    await _copy(backend, upload, CopySourceRange=f"bytes={first}-{last}")
    wanted = (PART + b"tail")[first : last + 1]
    await complete(backend, upload, (1, etag(wanted)))
    assert (await call(backend, "GetObject", K))["Body"] == wanted


@pytest.mark.parametrize("wanted", ["bytes=0-10", "bytes=10-10", "bytes=5-", "bytes=-5", "0-5", "bytes=5-4", ""])
async def test_a_range_that_is_none(backend: Standalone, wanted: str) -> None:
    await call(backend, "PutObject", {**K, "Key": "source"}, b"0123456789")
    upload = await begin(backend)
    with refused(400, "InvalidArgument", elements={"ArgumentName": "x-amz-copy-source-range"}):
        await _copy(backend, upload, CopySourceRange=wanted)


async def test_a_source_that_is_too_large(backend: Standalone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts.copy_source, "MAX_SIZE", 9)
    await call(backend, "PutObject", {**K, "Key": "source"}, b"0123456789")
    upload = await begin(backend)
    with refused(400, "InvalidRequest"):
        await _copy(backend, upload)
    await _copy(backend, upload, CopySourceRange="bytes=1-9")


async def test_a_version_as_the_source(backend: Standalone) -> None:
    versioning = {"VersioningConfiguration": {"Status": "Enabled"}}
    await call(backend, "PutBucketVersioning", {"Bucket": BUCKET, **versioning})
    old = await call(backend, "PutObject", {**K, "Key": "source"}, b"old")
    new = await call(backend, "PutObject", {**K, "Key": "source"}, b"new")
    upload = await begin(backend)
    copied = await _copy(backend, upload, CopySource=f"{BUCKET}/source?versionId={old['VersionId']}")
    assert (copied["CopySourceVersionId"], copied["CopyPartResult"]["ETag"]) == (old["VersionId"], etag(b"old"))
    copied = await _copy(backend, upload)
    assert (copied["CopySourceVersionId"], copied["CopyPartResult"]["ETag"]) == (new["VersionId"], etag(b"new"))


async def test_conditions_on_the_source(backend: Standalone) -> None:
    await call(backend, "PutObject", {**K, "Key": "source"}, b"x")
    upload = await begin(backend)
    with refused(412, "PreconditionFailed"):
        await _copy(backend, upload, CopySourceIfMatch='"other"')
    with refused(412, "PreconditionFailed"):
        await _copy(backend, upload, CopySourceIfNoneMatch=etag(b"x"))
    await _copy(backend, upload, CopySourceIfMatch=etag(b"x"))


async def test_the_source_is_deleted_while_it_is_read(backend: Standalone, store: Store) -> None:
    """What was begun is ended: the files stay until then, and are gone afterwards."""
    await put_in_parts(backend, "source", PART, PART[::-1])
    upload = await begin(backend)
    async with asyncio.TaskGroup() as group:
        copying = group.create_task(_copy(backend, upload))
        while not store.bodies._pins:  # until it has begun
            await asyncio.sleep(0)
        await call(backend, "DeleteObject", {**K, "Key": "source"})
    assert copying.result()["CopyPartResult"]["ETag"] == etag(PART + PART[::-1])


async def test_the_trailer_of_an_sdk(backend: Standalone) -> None:
    """What was announced and checked by the server counts as given."""
    upload = await begin(backend, ChecksumAlgorithm="CRC32")
    request = codec.build_request("UploadPart", {**upload, "PartNumber": 1, "ChecksumAlgorithm": "CRC32"})
    request.body = Pieces(LARGE)
    answer = await backend(request)
    assert answer.headers["x-amz-checksum-crc32"] == checksum("CRC32", LARGE)
