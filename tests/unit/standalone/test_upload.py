"""Names of uploads."""

from __future__ import annotations

import pytest
from conformance.calling import call, refused

from s3d.s3.errors import S3Error
from s3d.standalone.backend import Standalone
from s3d.standalone.upload import check_number, id_of, id_prefix, new_upload_id


@pytest.mark.parametrize("number", [0, 1, 1_700_000_000_000_000, (1 << 63) - 1])
def test_an_id_has_its_order(number: int) -> None:
    text = new_upload_id(number)
    assert (len(text), id_of(text)) == (48, number)
    assert text.startswith(id_prefix(number))
    assert new_upload_id(number) != text


def test_ids_sort_by_their_order() -> None:
    texts = [new_upload_id(number) for number in (9, 10, 255, 256, 1 << 60)]
    assert texts == sorted(texts)
    assert texts[1] < id_prefix(11) < texts[2]


@pytest.mark.parametrize(
    "text", ["", "x", "0" * 47, "0" * 49, "g" + "0" * 47, "A" + "0" * 47, "8" + "0" * 47, "٣" * 48]
)
def test_what_is_no_id(text: str) -> None:
    assert id_of(text) is None


@pytest.mark.parametrize("upload_id", ["\udcff", "\u00e9", "\0", "x" * 9000])
async def test_an_upload_id_that_can_be_none(backend: Standalone, bucket: str, upload_id: str) -> None:
    at = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    parts = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "x"}]}}
    for operation, more in {
        "UploadPart": {"PartNumber": 1},
        "CompleteMultipartUpload": parts,
        "AbortMultipartUpload": {},
        "ListParts": {},
    }.items():
        with refused(404, "NoSuchUpload"):
            await call(backend, operation, at | more)


def test_numbers_of_parts() -> None:
    check_number(1)
    check_number(10_000)
    for number in (0, 10_001):
        with pytest.raises(S3Error) as caught:
            check_number(number)
        assert caught.value.code == "InvalidArgument"
        assert caught.value.elements == {"ArgumentName": "partNumber", "ArgumentValue": str(number)}
