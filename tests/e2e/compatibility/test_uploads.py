"""Multipart uploads, as clients and their tests put them together."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from e2e.compatibility.failing import failure
from e2e.compatibility.raw import Raw

pytestmark = pytest.mark.peer

MIB = 1 << 20
SMALL = 5 * MIB
FIRST = b"1" * SMALL


class Upload:
    """One upload with the parts that were sent."""

    def __init__(self, s3: Any, bucket: str, key: str = "k", **options: Any) -> None:
        self.s3, self.bucket, self.key = s3, bucket, key
        self.created = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)
        self.at = {"Bucket": bucket, "Key": key, "UploadId": self.created["UploadId"]}
        self.parts: dict[int, Any] = {}

    def part(self, number: int, body: bytes, **options: Any) -> Any:
        answer = self.s3.upload_part(**self.at, PartNumber=number, Body=body, **options)
        self.parts[number] = {"ETag": answer["ETag"], "PartNumber": number}
        return answer

    def copy(self, number: int, source: Any, **options: Any) -> Any:
        answer = self.s3.upload_part_copy(**self.at, PartNumber=number, CopySource=source, **options)
        self.parts[number] = {"ETag": answer["CopyPartResult"]["ETag"], "PartNumber": number}
        return answer

    def complete(self, parts: list[Any] | None = None, **options: Any) -> Any:
        chosen = [self.parts[number] for number in sorted(self.parts)] if parts is None else parts
        return self.s3.complete_multipart_upload(**self.at, MultipartUpload={"Parts": chosen}, **options)

    def body(self) -> bytes:
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=self.key)["Body"].read()
        return content


@pytest.fixture
def upload(s3: Any, bucket: str) -> Upload:
    return Upload(s3, bucket)


@pytest.fixture
def source(s3: Any, bucket: str) -> dict[str, str]:
    s3.put_object(Bucket=bucket, Key="source", Body=bytes(range(256)))
    return {"Bucket": bucket, "Key": "source"}


def test_empty(s3: Any, raw: Raw, upload: Upload) -> None:
    assert failure(upload.complete, parts=[]) == (400, "MalformedXML")
    answer = raw("POST", f"/{upload.bucket}/k?uploadId={upload.at['UploadId']}")
    assert (answer.status, answer.code) == (400, "MalformedXML")


def test_small(upload: Upload) -> None:
    upload.part(1, b"x")
    answer = upload.complete()
    assert answer["ETag"] == f'"{hashlib.md5(hashlib.md5(b"x").digest()).hexdigest()}-1"'
    assert upload.bucket in answer["Location"]
    assert (answer["Bucket"], answer["Key"], upload.body()) == (upload.bucket, "k", b"x")


def test_an_empty_part(upload: Upload) -> None:
    upload.part(1, b"")
    upload.complete()
    assert upload.body() == b""


def test_metadata_comes_from_the_creation(s3: Any, bucket: str) -> None:
    options = {
        "ContentType": "text/bla",
        "Metadata": {"foo": "bar"},
        "CacheControl": "x",
        "StorageClass": "STANDARD_IA",
    }
    upload = Upload(s3, bucket, Tagging="a=b&c=d", **options)
    upload.part(1, FIRST)
    upload.part(2, b"end")
    upload.complete()
    head = s3.head_object(Bucket=bucket, Key="k")
    assert {name: head[name] for name in options} == options
    assert head["ContentLength"] == SMALL + 3
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "a", "Value": "b"},
        {"Key": "c", "Value": "d"},
    ]


def test_parts_in_another_order_and_with_gaps(upload: Upload) -> None:
    upload.part(900, b"c")
    upload.part(7, b"b" * SMALL)
    upload.part(2, FIRST)
    assert failure(upload.complete, parts=[upload.parts[7], upload.parts[2]]) == (400, "InvalidPartOrder")
    assert failure(upload.complete, parts=[upload.parts[2], upload.parts[2]]) == (400, "InvalidPartOrder")
    upload.complete()
    assert upload.body() == FIRST + b"b" * SMALL + b"c"


def test_a_part_sent_again(upload: Upload) -> None:
    upload.part(1, b"first")
    old = dict(upload.parts[1])
    upload.part(1, b"second")
    assert failure(upload.complete, parts=[old]) == (400, "InvalidPart")
    upload.complete()
    assert upload.body() == b"second"


def test_parts_too_small(upload: Upload) -> None:
    upload.part(1, b"small")
    upload.part(2, b"end")
    assert failure(upload.complete) == (400, "EntityTooSmall")


def test_parts_that_are_not_there(upload: Upload) -> None:
    upload.part(1, b"x")
    missing = {"ETag": upload.parts[1]["ETag"], "PartNumber": 9999}
    assert failure(upload.complete, parts=[missing]) == (400, "InvalidPart")
    wrong = {"ETag": '"ffffffffffffffffffffffffffffffff"', "PartNumber": 1}
    assert failure(upload.complete, parts=[wrong]) == (400, "InvalidPart")
    upload.complete()


@pytest.mark.parametrize("number", [0, -1])
def test_completing_with_a_number_that_no_part_has(upload: Upload, number: int) -> None:
    wrong = {"ETag": upload.part(1, b"x")["ETag"], "PartNumber": number}
    assert failure(upload.complete, parts=[wrong]) == (400, "InvalidArgument")


def test_an_etag_without_quotes(upload: Upload) -> None:
    upload.part(1, b"x")
    upload.complete(parts=[{"ETag": upload.parts[1]["ETag"].strip('"'), "PartNumber": 1}])


@pytest.mark.parametrize("namespace", ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'])
def test_forms_of_the_document(raw: Raw, upload: Upload, namespace: str) -> None:
    upload.part(1, b"x")
    etag = upload.parts[1]["ETag"].replace('"', "&quot;")
    part = f"<Part><ETag>{etag}</ETag><PartNumber>1</PartNumber></Part>"
    body = f"<CompleteMultipartUpload{namespace}>\n {part}\n</CompleteMultipartUpload>"
    answer = raw("POST", f"/{upload.bucket}/k?uploadId={upload.at['UploadId']}", body=body.encode())
    assert (answer.status, answer.text("Key")) == (200, "k")


def test_overwriting_an_object(s3: Any, upload: Upload) -> None:
    s3.put_object(Bucket=upload.bucket, Key="k", Body=b"before", Metadata={"a": "b"})
    upload.part(1, b"after")
    assert s3.get_object(Bucket=upload.bucket, Key="k")["Body"].read() == b"before"
    upload.complete()
    assert upload.body() == b"after"
    assert s3.head_object(Bucket=upload.bucket, Key="k")["Metadata"] == {}


def test_aborting(s3: Any, upload: Upload) -> None:
    upload.part(1, b"x")
    assert s3.abort_multipart_upload(**upload.at)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert failure(s3.abort_multipart_upload, **upload.at) == (404, "NoSuchUpload")
    assert failure(upload.part, number=2, body=b"y") == (404, "NoSuchUpload")
    assert failure(upload.complete) == (404, "NoSuchUpload")
    assert failure(s3.list_parts, **upload.at) == (404, "NoSuchUpload")
    assert failure(s3.get_object, Bucket=upload.bucket, Key="k") == (404, "NoSuchKey")


def test_an_upload_belongs_to_its_key(s3: Any, upload: Upload) -> None:
    other = upload.at | {"Key": "other"}
    assert failure(s3.upload_part, **other, PartNumber=1, Body=b"") == (404, "NoSuchUpload")
    assert failure(s3.abort_multipart_upload, **upload.at | {"UploadId": "unknown"}) == (404, "NoSuchUpload")


def test_listing_parts(s3: Any, upload: Upload) -> None:
    for number in (1, 3, 5):
        upload.part(number, b"x" * number)
    answer = s3.list_parts(**upload.at)
    assert [(part["PartNumber"], part["Size"]) for part in answer["Parts"]] == [(1, 1), (3, 3), (5, 5)]
    assert (answer["IsTruncated"], answer["MaxParts"], answer["StorageClass"]) == (False, 1000, "STANDARD")
    assert answer["Owner"] == answer["Initiator"] == s3.list_buckets()["Owner"]
    first = s3.list_parts(**upload.at, MaxParts=1)
    assert (first["IsTruncated"], first["NextPartNumberMarker"]) == (True, 1)
    rest = s3.list_parts(**upload.at, PartNumberMarker=1)
    assert [part["PartNumber"] for part in rest["Parts"]] == [3, 5]
    assert s3.list_parts(**upload.at, MaxParts=0)["IsTruncated"] is False


@pytest.mark.parametrize("query", ["max-parts=-1", "max-parts=x", "part-number-marker=-1"])
def test_lists_of_parts_with_wrong_numbers(raw: Raw, upload: Upload, query: str) -> None:
    answer = raw("GET", f"/{upload.bucket}/k?uploadId={upload.at['UploadId']}&{query}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_listing_uploads(s3: Any, bucket: str) -> None:
    ids = [(key, Upload(s3, bucket, key).at["UploadId"]) for key in ("b", "a", "a", "c/d")]
    answer = s3.list_multipart_uploads(Bucket=bucket)
    found = [(entry["Key"], entry["UploadId"]) for entry in answer["Uploads"]]
    assert found == [ids[1], ids[2], ids[0], ids[3]]
    assert (answer["MaxUploads"], answer["IsTruncated"]) == (1000, False)
    for key, upload_id in ids:
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("number", [0, 10001])
def test_part_numbers_that_do_not_exist(s3: Any, upload: Upload, number: int) -> None:
    assert failure(s3.upload_part, **upload.at, PartNumber=number, Body=b"x") == (400, "InvalidArgument")


def test_a_part_with_a_wrong_md5(raw: Raw, upload: Upload) -> None:
    target = f"/{upload.bucket}/k?uploadId={upload.at['UploadId']}&partNumber=1"
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert raw("PUT", target, {"Content-MD5": wrong}, b"x").code == "BadDigest"
    assert raw("PUT", target, {"Content-MD5": "?"}, b"x").code == "InvalidDigest"
    assert raw("PUT", target, length=False).code == "MissingContentLength"


def test_copying_parts(s3: Any, upload: Upload, source: dict[str, str]) -> None:
    whole = s3.get_object(**source)["Body"].read()
    upload.copy(1, source)
    upload.complete()
    assert upload.body() == whole
    second = Upload(s3, upload.bucket, "second")
    second.copy(1, source, CopySourceRange="bytes=0-0")
    second.complete()
    assert second.body() == whole[:1]
    third = Upload(s3, upload.bucket, "third")
    third.copy(1, f"{upload.bucket}/source", CopySourceRange="bytes=100-255")
    third.complete()
    assert third.body() == whole[100:]


@pytest.mark.parametrize(
    "text",
    [
        "0-2",
        "bytes=0",
        "bytes=hello-world",
        "bytes=0-bar",
        "bytes=hello-",
        "bytes=0-2,3-5",
        "bytes=5-2",
        "bytes=0-256",
        "",
    ],
)
def test_improper_ranges(raw: Raw, upload: Upload, source: dict[str, str], text: str) -> None:
    headers = {"x-amz-copy-source": f"{upload.bucket}/source", "x-amz-copy-source-range": text}
    answer = raw("PUT", f"/{upload.bucket}/k?uploadId={upload.at['UploadId']}&partNumber=1", headers)
    assert (answer.status, answer.code) == (400, "InvalidArgument")


@pytest.mark.parametrize("key", [" ", "_", "__", "?versionId", "a b", "é", "a+b", "%25", "a/../b"])
def test_copying_from_special_names(s3: Any, upload: Upload, key: str) -> None:
    s3.put_object(Bucket=upload.bucket, Key=key, Body=b"content")
    upload.copy(1, {"Bucket": upload.bucket, "Key": key})
    upload.complete()
    assert upload.body() == b"content"


def test_copying_from_versions(s3: Any, versioned: str) -> None:
    ids = [s3.put_object(Bucket=versioned, Key="v", Body=body)["VersionId"] for body in (b"1", b"2")]
    for version, body in zip(ids, (b"1", b"2"), strict=True):
        upload = Upload(s3, versioned)
        answer = upload.copy(1, {"Bucket": versioned, "Key": "v", "VersionId": version})
        assert answer["CopySourceVersionId"] == version
        assert upload.complete()["VersionId"]
        assert upload.body() == body


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_composite_checksums(s3: Any, bucket: str, algorithm: str) -> None:
    name = f"Checksum{algorithm}"
    upload = Upload(s3, bucket, ChecksumAlgorithm=algorithm)
    assert (upload.created["ChecksumAlgorithm"], upload.created["ChecksumType"]) == (algorithm, "COMPOSITE")
    for number, body in enumerate((FIRST, b"2" * SMALL, b"3"), 1):
        upload.parts[number] = {}
        answer = upload.part(number, body, ChecksumAlgorithm=algorithm)
        upload.parts[number][name] = answer[name]
    whole = upload.complete()[name]
    assert whole.endswith("-3")
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[name] == whole
    asked = ["Checksum", "ObjectParts", "ObjectSize"]
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=asked)
    assert (found["ObjectParts"]["TotalPartsCount"], found["ObjectSize"]) == (3, 2 * SMALL + 1)
    assert [part["Size"] for part in found["ObjectParts"]["Parts"]] == [SMALL, SMALL, 1]
    assert found["Checksum"]["ChecksumType"] == "COMPOSITE"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_checksums_of_the_whole(s3: Any, bucket: str, algorithm: str) -> None:
    name = f"Checksum{algorithm}"
    upload = Upload(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    upload.part(1, FIRST, ChecksumAlgorithm=algorithm)
    upload.part(2, b"end", ChecksumAlgorithm=algorithm)
    expected = s3.put_object(Bucket=bucket, Key="whole", Body=FIRST + b"end", ChecksumAlgorithm=algorithm)[name]
    assert upload.complete()[name] == expected


def test_a_checksum_that_does_not_hold(s3: Any, bucket: str) -> None:
    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    sha256 = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    found = failure(s3.upload_part, **upload.at, PartNumber=1, Body=b"x", ChecksumSHA256=sha256)
    assert found == (400, "BadDigest")
    upload.part(1, b"x", ChecksumAlgorithm="SHA256")
    assert failure(upload.complete)[0] == 400
    wrong = upload.parts[1] | {"ChecksumSHA256": sha256}
    assert failure(upload.complete, parts=[wrong]) == (400, "InvalidPart")


def test_one_part_of_it(s3: Any, upload: Upload) -> None:
    upload.part(2, FIRST)
    upload.part(5, b"end")
    upload.complete()
    at = {"Bucket": upload.bucket, "Key": "k"}
    answer = s3.get_object(**at, PartNumber=2)
    assert (answer["PartsCount"], answer["Body"].read()) == (2, b"end")
    assert answer["ContentRange"] == f"bytes {SMALL}-{SMALL + 2}/{SMALL + 3}"
    assert s3.head_object(**at, PartNumber=1)["ContentLength"] == SMALL
    assert failure(s3.get_object, **at, PartNumber=3) == (416, "InvalidPartNumber")
    assert "PartsCount" not in s3.get_object(**at, Range="bytes=0-1")


def test_completing_conditionally(s3: Any, upload: Upload) -> None:
    upload.part(1, b"x")
    assert failure(upload.complete, IfMatch='"x"') == (404, "NoSuchKey")
    etag = upload.complete(IfNoneMatch="*")["ETag"]
    second = Upload(s3, upload.bucket)
    second.part(1, b"y")
    assert failure(second.complete, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert failure(second.complete, IfMatch='"x"') == (412, "PreconditionFailed")
    second.complete(IfMatch=etag)
    assert second.body() == b"y"


def test_a_copy_of_it_has_another_etag(s3: Any, upload: Upload) -> None:
    upload.part(1, FIRST)
    upload.part(2, b"end")
    upload.complete()
    s3.copy_object(Bucket=upload.bucket, Key="copy", CopySource={"Bucket": upload.bucket, "Key": "k"})
    head = s3.head_object(Bucket=upload.bucket, Key="copy")
    assert head["ETag"] == f'"{hashlib.md5(FIRST + b"end").hexdigest()}"'
