"""GET and HEAD of objects: ranges, conditions, what is not there, parts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from e2e.compatibility.failing import failure
from e2e.compatibility.raw import Raw

pytestmark = pytest.mark.peer

TEXT = b"0123456789a"
MIB = 1 << 20


@pytest.fixture
def at(s3: Any, bucket: str) -> dict[str, str]:
    s3.put_object(Bucket=bucket, Key="k", Body=TEXT)
    return {"Bucket": bucket, "Key": "k"}


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("bytes=4-7", TEXT[4:8]),
        ("bytes=4-", TEXT[4:]),
        ("bytes=-7", TEXT[-7:]),
        ("bytes=-100", TEXT),
        ("bytes=0-100", TEXT),
        ("bytes=0-0", TEXT[:1]),
        ("bytes=10-10", TEXT[10:]),
    ],
)
def test_ranges(s3: Any, at: dict[str, str], text: str, content: bytes) -> None:
    answer = s3.get_object(**at, Range=text)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["Body"].read() == content
    start = TEXT.index(content)
    assert answer["ContentRange"] == f"bytes {start}-{start + len(content) - 1}/{len(TEXT)}"
    head = s3.head_object(**at, Range=text)
    assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (len(content), 206)


@pytest.mark.parametrize("text", ["bytes=40-50", "bytes=11-", "bytes=11-11", "bytes=-0"])
def test_ranges_outside(s3: Any, at: dict[str, str], text: str) -> None:
    assert failure(s3.get_object, **at, Range=text) == (416, "InvalidRange")
    assert failure(s3.head_object, **at, Range=text) == (416, "416")


@pytest.mark.parametrize("text", ["bytes=40-50", "bytes=0-0", "bytes=0-", "bytes=-1"])
def test_an_empty_object_has_no_ranges(s3: Any, at: dict[str, str], text: str) -> None:
    s3.put_object(**at, Body=b"")
    assert failure(s3.get_object, **at, Range=text) == (416, "InvalidRange")


@pytest.mark.parametrize(
    "text", ["bytes=a-b", "4-7", "bytes=7-4", "bytes", "bytes=0-1,3-4", "chars=0-1", "bytes=-", ""]
)
def test_what_is_no_range(raw: Raw, at: dict[str, str], text: str) -> None:
    answer = raw("GET", f"/{at['Bucket']}/k", {"Range": text})
    assert (answer.status, answer.body) == (200, TEXT)


def test_a_range_of_a_large_object(s3: Any, at: dict[str, str]) -> None:
    body = bytes(range(256)) * (8 * MIB // 256)
    s3.put_object(**at, Body=body)
    answer = s3.get_object(**at, Range="bytes=3145728-5242880")
    assert answer["Body"].read() == body[3145728:5242881]
    assert answer["ContentRange"] == "bytes 3145728-5242880/8388608"


@pytest.mark.parametrize("call", ["get_object", "head_object"])
def test_conditions_on_the_etag(s3: Any, at: dict[str, str], call: str) -> None:
    read = getattr(s3, call)
    etag = s3.head_object(**at)["ETag"]
    failed = "412" if call == "head_object" else "PreconditionFailed"
    for good in (etag, etag.strip('"'), "*", f'"other", {etag}'):
        read(**at, IfMatch=good)
        assert failure(read, **at, IfNoneMatch=good) == (304, "304")
    for bad in ('"ABCORZ"', "ABCORZ"):
        assert failure(read, **at, IfMatch=bad) == (412, failed)
        read(**at, IfNoneMatch=bad)


@pytest.mark.parametrize("call", ["get_object", "head_object"])
def test_conditions_on_the_time(s3: Any, at: dict[str, str], call: str) -> None:
    read = getattr(s3, call)
    modified = s3.head_object(**at)["LastModified"]
    before, after = modified - timedelta(days=1), modified + timedelta(seconds=1)
    failed = "412" if call == "head_object" else "PreconditionFailed"
    read(**at, IfModifiedSince=before)
    read(**at, IfUnmodifiedSince=after)
    read(**at, IfUnmodifiedSince=modified)
    assert failure(read, **at, IfModifiedSince=modified) == (304, "304")
    assert failure(read, **at, IfModifiedSince=after) == (304, "304")
    assert failure(read, **at, IfUnmodifiedSince=before) == (412, failed)


def test_conditions_together(s3: Any, at: dict[str, str]) -> None:
    head = s3.head_object(**at)
    etag, before, after = (
        head["ETag"],
        head["LastModified"] - timedelta(days=1),
        head["LastModified"] + timedelta(days=1),
    )
    s3.get_object(**at, IfMatch=etag, IfUnmodifiedSince=before)
    assert failure(s3.get_object, **at, IfNoneMatch=etag, IfModifiedSince=before) == (304, "304")
    s3.get_object(**at, IfNoneMatch='"x"', IfModifiedSince=after)
    assert failure(s3.get_object, **at, IfMatch='"x"', IfNoneMatch=etag)[0] == 412
    assert failure(s3.get_object, **at, IfMatch=etag, IfNoneMatch=etag) == (304, "304")


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize("text", ["nonsense", ""])
def test_a_time_that_is_none_is_no_condition(raw: Raw, at: dict[str, str], name: str, text: str) -> None:
    assert raw("GET", f"/{at['Bucket']}/k", {name: text}).status == 200


def test_not_modified_has_no_body(raw: Raw, at: dict[str, str]) -> None:
    answer = raw("GET", f"/{at['Bucket']}/k", {"If-None-Match": "*"})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"]


def test_a_missing_object(s3: Any, bucket: str) -> None:
    at = {"Bucket": bucket, "Key": "missing"}
    assert failure(s3.get_object, **at) == (404, "NoSuchKey")
    assert failure(s3.head_object, **at) == (404, "404")
    assert failure(s3.get_object, **at, IfMatch='"x"') == (404, "NoSuchKey")
    assert failure(s3.get_object, **at, IfNoneMatch="*") == (404, "NoSuchKey")
    assert failure(s3.get_object, **at, Range="bytes=0-1") == (404, "NoSuchKey")
    assert failure(s3.get_object_tagging, **at) == (404, "NoSuchKey")
    assert failure(s3.put_object_acl, **at, ACL="private") == (404, "NoSuchKey")
    assert failure(s3.get_object_attributes, **at, ObjectAttributes=["ETag"]) == (404, "NoSuchKey")
    assert failure(s3.get_object, **at, VersionId="null") == (404, "NoSuchVersion")
    assert s3.delete_object(**at)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_a_part_of_an_object_that_has_none(s3: Any, at: dict[str, str]) -> None:
    answer = s3.get_object(**at, PartNumber=1)
    assert answer["Body"].read() == TEXT
    assert failure(s3.get_object, **at, PartNumber=2) == (416, "InvalidPartNumber")
    assert failure(s3.head_object, **at, PartNumber=2) == (416, "416")
    assert failure(s3.get_object, **at, PartNumber=1, Range="bytes=0-1") == (400, "InvalidRequest")


@pytest.mark.parametrize("number", ["0", "-1", "10001", "x"])
def test_a_part_number_that_is_none(raw: Raw, at: dict[str, str], number: str) -> None:
    answer = raw("GET", f"/{at['Bucket']}/k?partNumber={number}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_anonymous_reads(raw: Raw, at: dict[str, str]) -> None:
    assert raw("GET", f"/{at['Bucket']}/k", signed=False).body == TEXT
    assert raw("HEAD", f"/{at['Bucket']}/k", signed=False).headers["Content-Length"] == str(len(TEXT))
    assert raw("GET", f"/{at['Bucket']}/missing", signed=False).code == "NoSuchKey"
    assert raw("PUT", f"/{at['Bucket']}/new", body=b"1", signed=False).status == 200


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_methods_that_objects_do_not_have(raw: Raw, at: dict[str, str], method: str) -> None:
    answer = raw(method, f"/{at['Bucket']}/k", body=b"x")
    assert (answer.status, answer.code, answer.text("ResourceType")) == (405, "MethodNotAllowed", "OBJECT")


def test_conditional_puts(s3: Any, bucket: str) -> None:
    at = {"Bucket": bucket, "Key": "k"}
    assert failure(s3.put_object, **at, Body=b"1", IfMatch="*")[0] == 404
    assert failure(s3.put_object, **at, Body=b"1", IfMatch='"x"') == (404, "NoSuchKey")
    etag = s3.put_object(**at, Body=b"1", IfNoneMatch="*")["ETag"]
    assert failure(s3.put_object, **at, Body=b"2", IfNoneMatch="*") == (412, "PreconditionFailed")
    assert failure(s3.put_object, **at, Body=b"2", IfMatch='"x"') == (412, "PreconditionFailed")
    assert failure(s3.put_object, **at, Body=b"2", IfNoneMatch=etag) == (501, "NotImplemented")
    assert s3.get_object(**at)["Body"].read() == b"1"
    s3.put_object(**at, Body=b"3", IfMatch=etag)
    s3.delete_object(**at)
    s3.put_object(**at, Body=b"4", IfNoneMatch="*")


def test_conditional_puts_over_a_delete_marker(s3: Any, versioned: str) -> None:
    at = {"Bucket": versioned, "Key": "k"}
    etag = s3.put_object(**at, Body=b"1")["ETag"]
    s3.delete_object(**at)
    assert failure(s3.put_object, **at, Body=b"2", IfMatch=etag) == (404, "NoSuchKey")
    s3.put_object(**at, Body=b"2", IfNoneMatch="*")
    assert failure(s3.put_object, **at, Body=b"3", IfNoneMatch="*") == (412, "PreconditionFailed")


def test_conditional_deletes(s3: Any, raw: Raw, at: dict[str, str]) -> None:
    head = s3.head_object(**at)
    target = f"/{at['Bucket']}/k"
    for name, bad in (
        ("If-Match", '"x"'),
        ("x-amz-if-match-size", "1"),
        ("x-amz-if-match-last-modified-time", "Wed, 21 Oct 2015 07:28:00 GMT"),
    ):
        answer = raw("DELETE", target, {name: bad})
        assert (answer.status, answer.code, answer.text("Condition")) == (412, "PreconditionFailed", name)
    assert s3.delete_object(**at, IfMatch=head["ETag"])["ResponseMetadata"]["HTTPStatusCode"] == 204
    s3.put_object(**at)
    assert raw("DELETE", target, {"If-Match": "*"}).status == 204
    assert raw("DELETE", target, {"If-Match": "*"}).status == 404


def test_conditions_on_versions(s3: Any, versioned: str) -> None:
    at = {"Bucket": versioned, "Key": "k"}
    first, second = (s3.put_object(**at, Body=body) for body in (b"1", b"2"))
    s3.get_object(**at, VersionId=first["VersionId"], IfMatch=first["ETag"])
    assert failure(s3.get_object, **at, VersionId=first["VersionId"], IfMatch=second["ETag"])[0] == 412
    assert failure(s3.delete_object, **at, VersionId=first["VersionId"], IfMatch=second["ETag"])[0] == 412
    s3.delete_object(**at, VersionId=first["VersionId"], IfMatch=first["ETag"])


def test_only_one_of_many_creates(s3: Any, bucket: str) -> None:
    def create(number: int) -> bool:
        try:
            s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % number, IfNoneMatch="*")
        except s3.exceptions.ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(create, range(16)))
    assert created.count(True) == 1
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"%d" % created.index(True)


def test_reading_while_it_is_written(s3: Any, at: dict[str, str]) -> None:
    body = s3.get_object(**at)["Body"]
    s3.put_object(**at, Body=b"other")
    s3.delete_object(**at)
    assert body.read() == TEXT
