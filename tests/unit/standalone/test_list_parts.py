"""ListParts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from conformance.calling import call, refused
from model.checksums import checksum
from unit.standalone import opened
from unit.standalone.opened import BUCKET
from unit.standalone.uploading import add, begin, etag

from s3d.standalone.backend import Standalone
from s3d.standalone.bucket import OWNER

backend, directory = opened.backend, opened.directory
NUMBERS = [1, 2, 3, 100, 10_000]


async def test_the_answer(backend: Standalone) -> None:
    upload = await begin(backend, ChecksumAlgorithm="CRC32", StorageClass="STANDARD_IA")
    await add(backend, upload, 3, b"three", ChecksumCRC32=checksum("CRC32", b"three"))
    found = await call(backend, "ListParts", upload)
    modified = found["Parts"][0].pop("LastModified")
    assert abs(modified - datetime.now(UTC)) < timedelta(minutes=5)
    assert found == {
        **upload,
        "PartNumberMarker": 0,
        "NextPartNumberMarker": 3,
        "MaxParts": 1000,
        "IsTruncated": False,
        "Parts": [{"PartNumber": 3, "ETag": etag(b"three"), "Size": 5, "ChecksumCRC32": checksum("CRC32", b"three")}],
        "Initiator": OWNER,
        "Owner": OWNER,
        "StorageClass": "STANDARD_IA",
        "ChecksumAlgorithm": "CRC32",
        "ChecksumType": "COMPOSITE",
    }


async def test_no_parts(backend: Standalone) -> None:
    found = await call(backend, "ListParts", await begin(backend))
    assert (found.get("Parts"), found["IsTruncated"], found["StorageClass"]) == (None, False, "STANDARD")
    assert "ChecksumAlgorithm" not in found


@pytest.mark.parametrize(
    ("size", "pages"),
    [(2, [[1, 2], [3, 100], [10_000]]), (5, [NUMBERS]), (4, [[1, 2, 3, 100], [10_000]]), (5000, [NUMBERS])],
)
async def test_pages(backend: Standalone, size: int, pages: list[list[int]]) -> None:
    upload = await begin(backend)
    for number in reversed(NUMBERS):
        await add(backend, upload, number, b"x")
    marker, found = 0, []
    while True:
        page = await call(backend, "ListParts", {**upload, "MaxParts": size, "PartNumberMarker": marker})
        assert (page["MaxParts"], page["PartNumberMarker"]) == (min(size, 1000), marker)
        found.append([part["PartNumber"] for part in page["Parts"]])
        assert page["NextPartNumberMarker"] == found[-1][-1]
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert found == pages


async def test_a_page_of_nothing(backend: Standalone) -> None:
    upload = await begin(backend)
    await add(backend, upload, 1, b"x")
    page = await call(backend, "ListParts", {**upload, "MaxParts": 0})
    assert (page.get("Parts"), page["IsTruncated"], page["MaxParts"]) == (None, False, 0)


async def test_an_upload_that_is_not_there(backend: Standalone) -> None:
    upload = await begin(backend)
    for wrong in ({"UploadId": "none"}, {"Key": "other"}):
        with refused(404, "NoSuchUpload", elements={"UploadId": {**upload, **wrong}["UploadId"]}):
            await call(backend, "ListParts", {**upload, **wrong})
    with refused(404, "NoSuchBucket"):
        await call(backend, "ListParts", {**upload, "Bucket": "none"})
    assert upload["Bucket"] == BUCKET
