"""Multipart uploads: the whole cycle and its refusals."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from conformance.calling import Members, call, refused
from conformance.capabilities import cases
from model.checksums import checksum

from s3d.s3.backend import Backend

PART = bytes(range(256)) * (5 << 12)  # 5 MiB, the least that a part that is not the last may have
TAIL = b"tail"


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


@pytest.fixture
async def upload(backend: Backend, bucket: str) -> Members:
    """Bucket, key and id of an upload that has begun."""
    where = {"Bucket": bucket, "Key": "dir/k"}
    started = await call(backend, "CreateMultipartUpload", {**where, "ContentType": "x/y", "Metadata": {"a": "1"}})
    assert (started["Bucket"], started["Key"]) == (bucket, "dir/k")
    return {**where, "UploadId": started["UploadId"]}


async def _part(backend: Backend, upload: Members, number: int, body: bytes, **members: Any) -> Members:
    return await call(backend, "UploadPart", {**upload, "PartNumber": number, **members}, body)


async def _complete(backend: Backend, upload: Members, *parts: tuple[int, str], **members: Any) -> Members:
    document = {"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in parts]}
    return await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": document, **members})


def _object(upload: Members) -> Members:
    return {"Bucket": upload["Bucket"], "Key": upload["Key"]}


async def test_the_parts_become_one_object(backend: Backend, upload: Members) -> None:
    assert (await _part(backend, upload, 2, TAIL))["ETag"] == _etag(TAIL)
    assert (await _part(backend, upload, 1, PART))["ETag"] == _etag(PART)
    with refused(404, "NoSuchKey"):
        await call(backend, "GetObject", _object(upload))
    done = await _complete(backend, upload, (1, _etag(PART)), (2, _etag(TAIL)))
    joined = hashlib.md5(hashlib.md5(PART).digest() + hashlib.md5(TAIL).digest()).hexdigest()
    assert done["ETag"] == f'"{joined}-2"'
    assert (done["Bucket"], done["Key"]) == (upload["Bucket"], upload["Key"])
    got = await call(backend, "GetObject", _object(upload))
    assert got["Body"] == PART + TAIL
    assert (got["ETag"], got["ContentType"], got["Metadata"]) == (done["ETag"], "x/y", {"a": "1"})
    assert not (await call(backend, "ListMultipartUploads", {"Bucket": upload["Bucket"]})).get("Uploads")


@pytest.mark.capability("parts_count")
async def test_one_part_can_be_read(backend: Backend, upload: Members) -> None:
    await _part(backend, upload, 1, PART)
    await _part(backend, upload, 2, TAIL)
    await _complete(backend, upload, (1, _etag(PART)), (2, _etag(TAIL)))
    got = await call(backend, "GetObject", {**_object(upload), "PartNumber": 2})
    assert (got["Body"], got["PartsCount"]) == (TAIL, 2)
    assert got["ContentRange"] == f"bytes {len(PART)}-{len(PART) + 3}/{len(PART) + 4}"


@pytest.mark.capability("part_outside")
async def test_a_part_that_the_object_does_not_have(backend: Backend, upload: Members) -> None:
    await _part(backend, upload, 1, TAIL)
    await _complete(backend, upload, (1, _etag(TAIL)))
    with refused(416, "InvalidPartNumber"):
        await call(backend, "GetObject", {**_object(upload), "PartNumber": 2})


@pytest.mark.capability("stale_part_etag")
async def test_the_last_upload_of_a_part_counts(backend: Backend, upload: Members) -> None:
    await _part(backend, upload, 1, b"first")
    await _part(backend, upload, 1, b"second")
    with refused(400, "InvalidPart"):
        await _complete(backend, upload, (1, _etag(b"first")))
    await _complete(backend, upload, (1, _etag(b"second")))
    assert (await call(backend, "GetObject", _object(upload)))["Body"] == b"second"


async def test_parts_that_are_not_named_are_dropped(backend: Backend, upload: Members) -> None:
    for number in (1, 2, 7):
        await _part(backend, upload, number, b"%d" % number)
    await _complete(backend, upload, (7, _etag(b"7")))
    assert (await call(backend, "GetObject", _object(upload)))["Body"] == b"7"


async def test_completing_twice_is_completing_once(backend: Backend, upload: Members) -> None:
    await _part(backend, upload, 1, TAIL)
    first = await _complete(backend, upload, (1, _etag(TAIL)))
    again = await _complete(backend, upload, (1, _etag(TAIL)))
    assert (again["ETag"], again["Key"]) == (first["ETag"], first["Key"])


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        pytest.param([(1, _etag(b"other"))], "InvalidPart", id="wrong-etag"),
        pytest.param(
            [(1, _etag(TAIL)), (3, _etag(TAIL))],
            "InvalidPart",
            id="missing-part",
            marks=pytest.mark.capability("missing_part"),
        ),
        pytest.param(
            [(2, _etag(TAIL)), (1, _etag(TAIL))],
            "InvalidPartOrder",
            id="wrong-order",
            marks=pytest.mark.capability("part_order"),
        ),
        pytest.param([(1, _etag(TAIL)), (2, _etag(TAIL))], "EntityTooSmall", id="too-small"),
        pytest.param([], "MalformedXML", id="no-parts", marks=pytest.mark.capability("complete_without_parts")),
    ],
)
async def test_a_wrong_completion(backend: Backend, upload: Members, parts: list[tuple[int, str]], code: str) -> None:
    for number in (1, 2):
        await _part(backend, upload, number, TAIL)
    with refused(400, code):
        await _complete(backend, upload, *parts)
    with refused(404, "NoSuchKey"):
        await call(backend, "GetObject", _object(upload))
    assert len((await call(backend, "ListParts", upload))["Parts"]) == 2


@pytest.mark.capability("complete_where_nothing_is")
async def test_complete_only_where_nothing_is(backend: Backend, upload: Members) -> None:
    await call(backend, "PutObject", _object(upload), b"before")
    await _part(backend, upload, 1, TAIL)
    with refused(412, "PreconditionFailed"):
        await _complete(backend, upload, (1, _etag(TAIL)), IfNoneMatch="*")
    assert (await call(backend, "GetObject", _object(upload)))["Body"] == b"before"


async def test_an_aborted_upload_is_gone(backend: Backend, upload: Members) -> None:
    await _part(backend, upload, 1, TAIL)
    await call(backend, "AbortMultipartUpload", upload)
    with refused(404, "NoSuchUpload"):
        await call(backend, "ListParts", upload)
    with refused(404, "NoSuchKey"):
        await call(backend, "GetObject", _object(upload))


@pytest.mark.parametrize(
    "operation",
    cases("unknown_upload", ["UploadPart", "AbortMultipartUpload", "ListParts", "CompleteMultipartUpload"]),
)
async def test_an_unknown_upload(backend: Backend, bucket: str, operation: str) -> None:
    members: Members = {"Bucket": bucket, "Key": "k", "UploadId": "nonsense"}
    if operation == "UploadPart":
        members["PartNumber"] = 1
    if operation == "CompleteMultipartUpload":
        members["MultipartUpload"] = {"Parts": [{"PartNumber": 1, "ETag": _etag(TAIL)}]}
    with refused(404, "NoSuchUpload"):
        await call(backend, operation, members, b"x" if operation == "UploadPart" else None)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(0, marks=pytest.mark.capability("part_number_0")),
        pytest.param(10_001, marks=pytest.mark.capability("part_number_10001")),
    ],
)
async def test_a_wrong_part_number(backend: Backend, upload: Members, number: int) -> None:
    with refused(400, "InvalidArgument"):
        await _part(backend, upload, number, TAIL)


async def test_the_parts_are_listed(backend: Backend, upload: Members) -> None:
    for number in (5, 1, 3):
        await _part(backend, upload, number, b"%d" % number)
    found = await call(backend, "ListParts", upload)
    assert [(p["PartNumber"], p["Size"], p["ETag"]) for p in found["Parts"]] == [
        (number, 1, _etag(b"%d" % number)) for number in (1, 3, 5)
    ]
    assert (found["UploadId"], found["IsTruncated"]) == (upload["UploadId"], False)
    assert not (await call(backend, "ListParts", {**upload, "PartNumberMarker": "5"})).get("Parts")


async def test_pages_of_parts(backend: Backend, upload: Members) -> None:
    for number in (1, 2, 3):
        await _part(backend, upload, number, TAIL)
    first = await call(backend, "ListParts", {**upload, "MaxParts": 2})
    assert ([part["PartNumber"] for part in first["Parts"]], first["IsTruncated"]) == ([1, 2], True)
    marker = str(first["NextPartNumberMarker"])
    second = await call(backend, "ListParts", {**upload, "MaxParts": 2, "PartNumberMarker": marker})
    assert ([part["PartNumber"] for part in second["Parts"]], second["IsTruncated"]) == ([3], False)


async def _uploads(backend: Backend, bucket: str, **members: Any) -> tuple[list[tuple[str, str]], list[str], Members]:
    found = await call(backend, "ListMultipartUploads", {"Bucket": bucket, **members})
    uploads = [(entry["Key"], entry["UploadId"]) for entry in found.get("Uploads") or []]
    return uploads, [entry["Prefix"] for entry in found.get("CommonPrefixes") or []], found


async def _begun(backend: Backend, bucket: str, *keys: str) -> list[tuple[str, str]]:
    return [
        (key, (await call(backend, "CreateMultipartUpload", {"Bucket": bucket, "Key": key}))["UploadId"])
        for key in keys
    ]


@pytest.mark.capability("upload_order")
async def test_uploads_are_listed_by_key(backend: Backend, bucket: str) -> None:
    b, d, a = await _begun(backend, bucket, "b", "dir/c", "a")
    assert (await _uploads(backend, bucket))[0] == [a, b, d]
    assert (await _uploads(backend, bucket, Prefix="dir/"))[0] == [d]


@pytest.mark.capability("uploads_delimiter")
async def test_uploads_with_a_delimiter(backend: Backend, bucket: str) -> None:
    a, _, _ = await _begun(backend, bucket, "a", "dir/b", "dir/c")
    assert (await _uploads(backend, bucket, Delimiter="/"))[:2] == ([a], ["dir/"])


@pytest.mark.capability("upload_pages")
async def test_pages_of_uploads(backend: Backend, bucket: str) -> None:
    begun = await _begun(backend, bucket, "a", "b", "b", "c")
    seen: list[tuple[str, str]] = []
    members: Members = {"MaxUploads": 1}
    for _ in range(10):
        page, _, found = await _uploads(backend, bucket, **members)
        seen += page
        if not found["IsTruncated"]:
            break
        members |= {"KeyMarker": found["NextKeyMarker"], "UploadIdMarker": found["NextUploadIdMarker"]}
    assert sorted(seen) == sorted(begun)
    assert [key for key, _ in seen] == ["a", "b", "b", "c"]


@pytest.mark.capability("uploads_after_key")
async def test_uploads_after_a_key(backend: Backend, bucket: str) -> None:
    _, _, c = await _begun(backend, bucket, "a", "b", "c")
    assert (await _uploads(backend, bucket, KeyMarker="b"))[0] == [c]


async def test_a_part_from_another_object(backend: Backend, upload: Members) -> None:
    bucket = upload["Bucket"]
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "source"}, b"0123456789")
    source = {**upload, "CopySource": f"{bucket}/source"}
    whole = await call(backend, "UploadPartCopy", {**source, "PartNumber": 1})
    assert whole["CopyPartResult"]["ETag"].strip('"') == _etag(b"0123456789").strip('"')
    await call(backend, "UploadPartCopy", {**source, "PartNumber": 2, "CopySourceRange": "bytes=2-4"})
    assert [part["Size"] for part in (await call(backend, "ListParts", upload))["Parts"]] == [10, 3]


@pytest.mark.capability("part_copy_etag")
async def test_the_etag_of_a_part_from_a_range(backend: Backend, upload: Members) -> None:
    bucket = upload["Bucket"]
    await call(backend, "PutObject", {"Bucket": bucket, "Key": "source"}, b"0123456789")
    source = {**upload, "PartNumber": 1, "CopySource": f"{bucket}/source", "CopySourceRange": "bytes=2-4"}
    assert (await call(backend, "UploadPartCopy", source))["CopyPartResult"]["ETag"] == _etag(b"234")


@pytest.mark.capability("part_copy_of_nothing")
async def test_a_part_from_a_missing_object(backend: Backend, upload: Members) -> None:
    with refused(404, "NoSuchKey"):
        await call(backend, "UploadPartCopy", {**upload, "PartNumber": 3, "CopySource": f"{upload['Bucket']}/none"})


@pytest.mark.capability("multipart_checksum")
async def test_the_checksum_of_the_parts(backend: Backend, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "k"}
    started = await call(backend, "CreateMultipartUpload", {**where, "ChecksumAlgorithm": "SHA256"})
    assert started["ChecksumAlgorithm"] == "SHA256"
    upload = {**where, "UploadId": started["UploadId"]}
    declared = checksum("SHA256", TAIL)
    assert (await _part(backend, upload, 1, TAIL, ChecksumSHA256=declared))["ChecksumSHA256"] == declared
    part = {"PartNumber": 1, "ETag": _etag(TAIL), "ChecksumSHA256": declared}
    done = await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": {"Parts": [part]}})
    of_parts = checksum("SHA256", hashlib.sha256(TAIL).digest()) + "-1"
    assert (done["ChecksumSHA256"], done["ChecksumType"]) == (of_parts, "COMPOSITE")
    head = await call(backend, "HeadObject", {**where, "ChecksumMode": "ENABLED"})
    assert head["ChecksumSHA256"] == of_parts


@pytest.mark.capability("multipart_attributes")
async def test_the_attributes_count_the_parts(backend: Backend, upload: Members) -> None:
    await _part(backend, upload, 1, TAIL)
    await _complete(backend, upload, (1, _etag(TAIL)))
    wanted = {"ObjectAttributes": ["ObjectParts", "ObjectSize"]}
    got = await call(backend, "GetObjectAttributes", {**_object(upload), **wanted})
    assert (got["ObjectParts"]["TotalPartsCount"], got["ObjectSize"]) == (1, len(TAIL))
