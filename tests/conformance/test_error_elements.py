"""What errors say beside their code: SDKs read it ("Error responses", Amazon S3 API Reference)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from conformance.calling import Members, call, refused
from conformance.capabilities import cases

from s3d.s3.backend import Backend

BODY = b"0123456789"
OTHER = '"00000000000000000000000000000000"'
BARE = hashlib.md5(BODY).hexdigest()


@pytest.fixture
async def at(backend: Backend, bucket: str) -> Members:
    where = {"Bucket": bucket, "Key": "k"}
    await call(backend, "PutObject", where, BODY)
    return where


@pytest.fixture
async def upload(backend: Backend, bucket: str) -> Members:
    """An upload with two small parts."""
    where = {"Bucket": bucket, "Key": "k"}
    found = {**where, "UploadId": (await call(backend, "CreateMultipartUpload", where))["UploadId"]}
    for number in (1, 2):
        await call(backend, "UploadPart", {**found, "PartNumber": number}, BODY)
    return found


@pytest.mark.capability("says_key")
async def test_no_such_key(backend: Backend, bucket: str) -> None:
    key = "not there/<&>"
    with refused(404, "NoSuchKey", elements={"Key": key}):
        await call(backend, "GetObject", {"Bucket": bucket, "Key": key})


@pytest.mark.capability("says_bucket")
async def test_no_such_bucket(backend: Backend, new_bucket_name: Callable[[], str]) -> None:
    name = new_bucket_name()
    with refused(404, "NoSuchBucket", elements={"BucketName": name}):
        await call(backend, "ListObjectsV2", {"Bucket": name})


@pytest.mark.capability("says_bucket_not_empty")
async def test_bucket_not_empty(backend: Backend, at: Members) -> None:
    with refused(409, "BucketNotEmpty", elements={"BucketName": at["Bucket"]}):
        await call(backend, "DeleteBucket", {"Bucket": at["Bucket"]})


FAILED: dict[str, tuple[str, Members]] = {
    "GetObject": ("If-Match", {"IfMatch": OTHER}),
    "PutObject": ("If-None-Match", {"IfNoneMatch": "*"}),
    "DeleteObject": ("If-Match", {"IfMatch": OTHER}),
}


@pytest.mark.parametrize("operation", cases("says_condition", FAILED))
async def test_the_condition_that_failed(backend: Backend, at: Members, operation: str) -> None:
    condition, members = FAILED[operation]
    with refused(412, "PreconditionFailed", elements={"Condition": condition}):
        await call(backend, operation, {**at, **members}, b"new" if operation == "PutObject" else None)


@pytest.mark.capability("says_range")
async def test_the_size_of_what_the_range_is_outside(backend: Backend, at: Members) -> None:
    with refused(416, "InvalidRange", elements={"RangeRequested": "bytes=10-20", "ActualObjectSize": "10"}):
        await call(backend, "GetObject", {**at, "Range": "bytes=10-20"})


@pytest.mark.capability("says_upload")
async def test_no_such_upload(backend: Backend, bucket: str) -> None:
    with refused(404, "NoSuchUpload", elements={"UploadId": "nonsense"}):
        await call(backend, "ListParts", {"Bucket": bucket, "Key": "k", "UploadId": "nonsense"})


async def _complete(backend: Backend, upload: Members, *parts: tuple[int, str]) -> None:
    document: dict[str, Any] = {"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in parts]}
    await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": document})


@pytest.mark.capability("says_part")
async def test_the_part_that_is_wrong(backend: Backend, upload: Members) -> None:
    elements = {"UploadId": upload["UploadId"], "PartNumber": "2", "ETag": OTHER.strip('"')}
    with refused(400, "InvalidPart", elements=elements):
        await _complete(backend, upload, (1, BARE), (2, OTHER))


@pytest.mark.capability("says_small")
async def test_the_part_that_is_too_small(backend: Backend, upload: Members) -> None:
    elements = {"ProposedSize": "10", "MinSizeAllowed": str(5 << 20), "PartNumber": "1", "ETag": BARE}
    with refused(400, "EntityTooSmall", elements=elements):
        await _complete(backend, upload, (1, BARE), (2, BARE))


@pytest.mark.capability("says_part_order")
async def test_the_upload_whose_parts_are_in_disorder(backend: Backend, upload: Members) -> None:
    with refused(400, "InvalidPartOrder", elements={"UploadId": upload["UploadId"]}):
        await _complete(backend, upload, (2, BARE), (1, BARE))


@pytest.mark.capability("says_argument")
async def test_the_argument_that_is_wrong(backend: Backend, bucket: str) -> None:
    elements = {"ArgumentName": "encoding-type", "ArgumentValue": "base64"}
    with refused(400, "InvalidArgument", elements=elements):
        await call(backend, "ListObjects", {"Bucket": bucket, "EncodingType": "base64"})


@pytest.mark.capability("says_key_length")
async def test_how_long_a_key_may_be(backend: Backend, bucket: str) -> None:
    with refused(400, "KeyTooLongError", elements={"Size": "1025", "MaxSizeAllowed": "1024"}):
        await call(backend, "PutObject", {"Bucket": bucket, "Key": "x" * 1025}, b"x")


@pytest.mark.capability("says_metadata_length")
async def test_how_long_metadata_may_be(backend: Backend, bucket: str) -> None:
    with refused(400, "MetadataTooLarge", elements={"Size": "2101", "MaxSizeAllowed": "2048"}):
        await call(backend, "PutObject", {"Bucket": bucket, "Key": "k", "Metadata": {"a": "x" * 2100}}, b"x")


@pytest.mark.capability("says_part_number")
async def test_how_many_parts_there_are(backend: Backend, at: Members) -> None:
    with refused(416, "InvalidPartNumber", elements={"ActualPartCount": "1", "PartNumberRequested": "2"}):
        await call(backend, "GetObject", {**at, "PartNumber": 2})
