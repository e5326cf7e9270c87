"""GetObjectAttributes."""

from __future__ import annotations

import pytest
from conformance.calling import Members, answer, call, refused
from model.checksums import checksum, composite
from unit.standalone import opened
from unit.standalone.opened import BUCKET
from unit.standalone.uploading import PART, add, begin, etag, put_in_parts

from s3d.s3 import codec
from s3d.standalone.backend import Standalone

backend, directory = opened.backend, opened.directory
K = {"Bucket": BUCKET, "Key": "k"}
ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


async def _attributes(backend: Standalone, *wanted: str, **members: object) -> Members:
    return await call(backend, "GetObjectAttributes", {**K, "ObjectAttributes": list(wanted) or ALL, **members})


async def _put_composite(backend: Standalone) -> None:
    """Parts 2, 5 and 9."""
    upload = await begin(backend, ChecksumAlgorithm="SHA256")
    entries = []
    for number, data in ((2, PART), (5, PART), (9, b"tail")):
        value = {"ChecksumSHA256": checksum("SHA256", data)}
        entries.append({"PartNumber": number, **await add(backend, upload, number, data, **value)})
    await call(backend, "CompleteMultipartUpload", {**upload, "MultipartUpload": {"Parts": entries}})


async def test_all_of_them(backend: Standalone) -> None:
    await call(backend, "PutObject", {**K, "StorageClass": "STANDARD_IA", "ChecksumSHA1": checksum("SHA1", b"x")}, b"x")
    found = await _attributes(backend)
    assert found.pop("LastModified") == (await call(backend, "HeadObject", K))["LastModified"]
    assert found == {
        "ETag": etag(b"x").strip('"'),
        "Checksum": {"ChecksumSHA1": checksum("SHA1", b"x"), "ChecksumType": "FULL_OBJECT"},
        "StorageClass": "STANDARD_IA",
        "ObjectSize": 1,
    }


async def test_some_of_them(backend: Standalone) -> None:
    await call(backend, "PutObject", K, b"")
    assert await _attributes(backend, "ObjectSize") | {"LastModified": 0} == {"ObjectSize": 0, "LastModified": 0}
    found = await _attributes(backend, "StorageClass", "Checksum")
    assert (found["StorageClass"], found["Checksum"]["ChecksumCRC64NVME"]) == ("STANDARD", checksum("CRC64NVME", b""))
    assert not {"ETag", "ObjectSize", "ObjectParts"} & found.keys()


@pytest.mark.parametrize("wanted", ["Etag", "Size", "ETag,Nothing"])
async def test_an_attribute_that_there_is_not(backend: Standalone, wanted: str) -> None:
    await call(backend, "PutObject", K, b"x")
    with refused(400, "InvalidArgument", elements={"ArgumentName": "x-amz-object-attributes", "ArgumentValue": wanted}):
        await _attributes(backend, *wanted.split(","))


async def test_no_attribute(backend: Standalone) -> None:
    request = codec.build_request("GetObjectAttributes", {**K, "ObjectAttributes": ["ETag"]})
    del request.headers["x-amz-object-attributes"]
    with refused(400, "InvalidRequest"):
        await answer(backend, request)


async def test_parts_of_a_composite_checksum_are_listed(backend: Standalone) -> None:
    await _put_composite(backend)
    found = await _attributes(backend)
    values = [checksum("SHA256", data) for data in (PART, PART, b"tail")]
    whole = composite("SHA256", values)
    assert found["Checksum"] == {"ChecksumSHA256": whole.removesuffix("-3"), "ChecksumType": "COMPOSITE"}
    assert found["ETag"].endswith("-3")
    assert found["ObjectParts"] == {
        "TotalPartsCount": 3,
        "PartNumberMarker": 0,
        "NextPartNumberMarker": 9,
        "MaxParts": 1000,
        "IsTruncated": False,
        "Parts": [
            {"PartNumber": number, "Size": size, "ChecksumSHA256": value}
            for number, size, value in zip((2, 5, 9), (len(PART), len(PART), 4), values, strict=True)
        ],
    }


async def test_pages_of_parts(backend: Standalone) -> None:
    await _put_composite(backend)
    marker, pages = 0, []
    while True:
        found = (await _attributes(backend, MaxParts=2, PartNumberMarker=marker))["ObjectParts"]
        assert (found["MaxParts"], found["PartNumberMarker"], found["TotalPartsCount"]) == (2, marker, 3)
        pages.append([part["PartNumber"] for part in found["Parts"]])
        if not found["IsTruncated"]:
            break
        marker = found["NextPartNumberMarker"]
    assert pages == [[2, 5], [9]]


async def test_other_parts_are_counted(backend: Standalone) -> None:
    await put_in_parts(backend, "k", PART, b"tail")
    found = await _attributes(backend)
    assert found["ObjectParts"] == {"TotalPartsCount": 2}
    assert found["Checksum"]["ChecksumType"] == "FULL_OBJECT"


async def test_versions(backend: Standalone) -> None:
    assert_none = await call(backend, "PutObject", K, b"null")
    assert "VersionId" not in assert_none
    assert "VersionId" not in await _attributes(backend)
    versioning = {"VersioningConfiguration": {"Status": "Enabled"}}
    await call(backend, "PutBucketVersioning", {"Bucket": BUCKET, **versioning})
    put = await call(backend, "PutObject", K, b"second")
    assert (await _attributes(backend))["VersionId"] == put["VersionId"]
    found = await _attributes(backend, VersionId="null")
    assert (found["VersionId"], found["ObjectSize"]) == ("null", 4)
    marker = (await call(backend, "DeleteObject", K))["VersionId"]
    with refused(404, "NoSuchKey") as refusal:
        await _attributes(backend)
    assert refusal.value.headers["x-amz-delete-marker"] == "true"
    with refused(405, "MethodNotAllowed"):
        await _attributes(backend, VersionId=marker)
    assert (await _attributes(backend, VersionId=put["VersionId"]))["ObjectSize"] == 6


async def test_what_is_not_there(backend: Standalone) -> None:
    with refused(404, "NoSuchKey", elements={"Key": "k"}):
        await _attributes(backend)
    with refused(404, "NoSuchBucket"):
        await _attributes(backend, Bucket="none")
