"""What a PutObject says beside the bytes: metadata, system headers, digests, lengths; and what comes back of it."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from e2e.compatibility.failing import failure
from e2e.compatibility.raw import Raw

pytestmark = pytest.mark.peer

MD5_OF_OTHER = base64.b64encode(hashlib.md5(b"other").digest()).decode()


def test_metadata_comes_back(s3: Any, bucket: str) -> None:
    metadata = {"plain": "value", "upper": "VaLuE", "empty": "", "dash-ed": "a b", "under_score": "=?;,"}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"Plain": "value", **metadata} | {"UPPER": "VaLuE"})
    for call in (s3.get_object, s3.head_object):
        assert call(Bucket=bucket, Key="k")["Metadata"]["upper"] == "VaLuE"
        assert call(Bucket=bucket, Key="k")["Metadata"]["empty"] == ""
        assert call(Bucket=bucket, Key="k")["Metadata"]["under_score"] == "=?;,"


def test_a_put_replaces_all_metadata(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Metadata={"one": "1"}, CacheControl="no-cache", ContentType="a/b")
    s3.put_object(Bucket=bucket, Key="k", Metadata={"two": "2"})
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert answer["Metadata"] == {"two": "2"}
    assert "CacheControl" not in answer
    assert answer["ContentType"] == "binary/octet-stream"
    s3.put_object(Bucket=bucket, Key="k")
    assert s3.get_object(Bucket=bucket, Key="k")["Metadata"] == {}


@pytest.mark.parametrize("value", ["Hello World\xe9", "Привет", "日本", "=?UTF-8?Q?x?=", "\U0001f600"])
def test_metadata_in_utf_8(raw: Raw, bucket: str, value: str) -> None:
    assert raw("PUT", f"/{bucket}/k", {"x-amz-meta-m": value}).status == 200
    for method in ("GET", "HEAD"):
        got = raw(method, f"/{bucket}/k").headers["x-amz-meta-m"]
        assert got.encode("latin-1").decode() == value


def test_metadata_that_is_no_utf_8(raw: Raw, bucket: str) -> None:
    value = b"a\xe9b".decode("utf-8", "surrogateescape")
    assert raw("PUT", f"/{bucket}/k", {"x-amz-meta-m": value}).status == 200
    assert raw("GET", f"/{bucket}/k").headers["x-amz-meta-m"].encode("latin-1") == b"a\xe9b"


@pytest.mark.parametrize("value", ["  in front", "behind  ", "\tboth\t", "in  the  middle"])
def test_white_space_around_metadata(raw: Raw, bucket: str, value: str) -> None:
    raw("PUT", f"/{bucket}/k", {"x-amz-meta-m": value})
    assert raw("GET", f"/{bucket}/k").headers["x-amz-meta-m"] == value.strip()


def test_the_limit_of_metadata(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Metadata={"name": "v" * 2044})
    assert failure(s3.put_object, Bucket=bucket, Key="k", Metadata={"name": "v" * 2045}) == (400, "MetadataTooLarge")
    s3.put_object(Bucket=bucket, Key="k", Metadata={f"n{number:02d}": "v" * 97 for number in range(20)})


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("CacheControl", "public, max-age=14400"),
        ("ContentDisposition", 'attachment; filename="a b.txt"'),
        ("ContentEncoding", "gzip"),
        ("ContentLanguage", "de, en"),
        ("ContentType", "text/plain; charset=utf-8"),
        ("WebsiteRedirectLocation", "/other"),
    ],
)
def test_system_headers(s3: Any, bucket: str, member: str, value: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **{member: value})
    assert s3.head_object(Bucket=bucket, Key="k")[member] == value
    assert s3.get_object(Bucket=bucket, Key="k")[member] == value
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    copied = None if member == "WebsiteRedirectLocation" else value
    assert s3.head_object(Bucket=bucket, Key="copy").get(member) == copied


def test_expires(s3: Any, bucket: str) -> None:
    moment = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    s3.put_object(Bucket=bucket, Key="k", Expires=moment)
    assert s3.head_object(Bucket=bucket, Key="k")["Expires"] == moment


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2015 07:28:00 GMT", "2031-01-01", "0", "-1", "tomorrow"])
def test_expires_is_any_text(raw: Raw, bucket: str, text: str) -> None:
    assert raw("PUT", f"/{bucket}/k", {"Expires": text}).status == 200
    assert raw("GET", f"/{bucket}/k").headers["Expires"] == text
    assert raw("HEAD", f"/{bucket}/k").headers["Expires"] == text


@pytest.mark.parametrize(
    ("coding", "kept"),
    [
        ("gzip", "gzip"),
        ("deflate, gzip", "deflate, gzip"),
        ("gzip, aws-chunked", "gzip"),
        ("gzip,aws-chunked", "gzip"),
        ("aws-chunked, gzip", "gzip"),
        ("aws-chunked,gzip", "gzip"),
        ("aws-chunked", None),
        ("AWS-Chunked", None),
        ("aws-chunked, aws-chunked", None),
    ],
)
def test_aws_chunked_is_never_kept(raw: Raw, bucket: str, coding: str, kept: str | None) -> None:
    assert raw("PUT", f"/{bucket}/k", {"Content-Encoding": coding}, b"body").status == 200
    answer = raw("GET", f"/{bucket}/k")
    assert (answer.headers.get("Content-Encoding"), answer.body) == (kept, b"body")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("YWJyYWNhZGFicmE=", "InvalidDigest"),
        ("", "InvalidDigest"),
        ("not base64!", "InvalidDigest"),
        ("rL0Y20xQ+Fzt72VPzMSk2A==", "BadDigest"),
        (MD5_OF_OTHER, "BadDigest"),
    ],
)
def test_a_wrong_md5(raw: Raw, bucket: str, value: str, code: str) -> None:
    answer = raw("PUT", f"/{bucket}/k", {"Content-MD5": value}, b"body")
    assert (answer.status, answer.code) == (400, code)
    assert raw("HEAD", f"/{bucket}/k").status == 404


def test_a_body_needs_a_length(raw: Raw, bucket: str) -> None:
    answer = raw("PUT", f"/{bucket}/k", length=False)
    assert (answer.status, answer.code) == (411, "MissingContentLength")


@pytest.mark.parametrize("length", ["", "-1", "x", "1,2"])
def test_a_wrong_length(raw: Raw, bucket: str, length: str) -> None:
    assert raw("PUT", f"/{bucket}/k", {"Content-Length": length}).status == 400


@pytest.mark.parametrize("headers", [{"Expect": "200"}, {"Expect": ""}, {"User-Agent": ""}, {"Content-Type": ""}])
def test_headers_that_do_not_matter(raw: Raw, bucket: str, headers: dict[str, str]) -> None:
    assert raw("PUT", f"/{bucket}/k", headers, b"x").status == 200
    answer = raw("GET", f"/{bucket}/k")
    assert (answer.body, answer.headers["Content-Type"]) == (b"x", "binary/octet-stream")


@pytest.mark.parametrize("value", ["text/plain", "nonsense", "application/x-www-form-urlencoded"])
def test_any_content_type(raw: Raw, bucket: str, value: str) -> None:
    raw("PUT", f"/{bucket}/k", {"Content-Type": value}, b"x")
    assert raw("HEAD", f"/{bucket}/k").headers["Content-Type"] == value


def test_what_an_answer_always_has(raw: Raw, bucket: str) -> None:
    put = raw("PUT", f"/{bucket}/k", body=b"body")
    assert put.headers["ETag"] == f'"{hashlib.md5(b"body").hexdigest()}"'
    for method in ("GET", "HEAD"):
        answer = raw(method, f"/{bucket}/k")
        assert answer.headers["Content-Length"] == "4"
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.headers["ETag"] == put.headers["ETag"]
        assert {"x-amz-request-id", "Date", "Last-Modified", "Server"} <= {*answer.headers}


def test_an_error_has_the_id_of_its_answer(raw: Raw, bucket: str) -> None:
    answer = raw("GET", f"/{bucket}/missing")
    assert answer.text("RequestId") == answer.headers["x-amz-request-id"]
    assert answer.headers["Content-Type"] == "application/xml"
    assert (answer.text("Key"), answer.text("Resource")) == ("missing", f"/{bucket}/missing")
    head = raw("HEAD", f"/{bucket}/missing")
    assert (head.status, head.body) == (404, b"")


@pytest.mark.parametrize("name", ["STANDARD", "STANDARD_IA", "REDUCED_REDUNDANCY", "GLACIER", "INTELLIGENT_TIERING"])
def test_storage_classes(s3: Any, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", StorageClass=name)
    assert s3.head_object(Bucket=bucket, Key="k").get("StorageClass", "STANDARD") == name
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["StorageClass"] == name


def test_a_storage_class_that_is_none(s3: Any, bucket: str) -> None:
    assert failure(s3.put_object, Bucket=bucket, Key="k", StorageClass="FAST") == (400, "InvalidStorageClass")


def test_an_empty_object(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    answer = s3.get_object(Bucket=bucket, Key="k")
    assert (answer["ContentLength"], answer["Body"].read()) == (0, b"")
    assert answer["ETag"] == '"d41d8cd98f00b204e9800998ecf8427e"'


def test_a_key_that_ends_with_a_slash_has_a_body(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="dir/", Body=b"not empty")
    s3.put_object(Bucket=bucket, Key="dir", Body=b"file")
    s3.put_object(Bucket=bucket, Key="dir/below", Body=b"below")
    assert s3.get_object(Bucket=bucket, Key="dir/")["Body"].read() == b"not empty"
    assert s3.get_object(Bucket=bucket, Key="dir")["Body"].read() == b"file"
    s3.delete_object(Bucket=bucket, Key="dir/")
    assert s3.get_object(Bucket=bucket, Key="dir/below")["Body"].read() == b"below"


@pytest.mark.parametrize(
    "overrides",
    [
        {
            "ResponseCacheControl": "no-cache",
            "ResponseContentDisposition": "bla",
            "ResponseContentEncoding": "aaa",
            "ResponseContentLanguage": "esperanto",
            "ResponseContentType": "foo/bar",
        }
    ],
)
def test_overrides(s3: Any, bucket: str, overrides: dict[str, str]) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="a/b", CacheControl="old")
    for call in (s3.get_object, s3.head_object):
        answer = call(Bucket=bucket, Key="k", **overrides)
        assert {f"Response{name}": answer[name] for name in (n[8:] for n in overrides)} == overrides
    s3.put_object(Bucket=bucket, Key="k2", Body=b"x")
    assert "CacheControl" not in s3.get_object(Bucket=bucket, Key="k2")


def test_overrides_in_a_url(raw: Raw, bucket: str) -> None:
    raw("PUT", f"/{bucket}/k", body=b"x")
    query = "response-content-type=text%2Fx&response-content-disposition=attachment%3B%20a%3Db"
    query += "&response-expires=Wed%2C%2021%20Oct%202015%2007%3A28%3A00%20GMT"
    answer = raw("GET", f"/{bucket}/k?{query}")
    assert (answer.headers["Content-Type"], answer.headers["Expires"]) == ("text/x", "Wed, 21 Oct 2015 07:28:00 GMT")
    assert answer.headers["Content-Disposition"] == "attachment; a=b"


@pytest.mark.parametrize(
    ("algorithm", "value"), [("CRC32", "AAAAAA=="), ("SHA256", "AAAA"), ("CRC32C", "no"), ("SHA1", "")]
)
def test_checksums_that_do_not_hold(raw: Raw, bucket: str, algorithm: str, value: str) -> None:
    answer = raw("PUT", f"/{bucket}/k", {f"x-amz-checksum-{algorithm.lower()}": value}, b"body")
    assert (answer.status, answer.code) == (400, "BadDigest" if algorithm == "CRC32" else "InvalidRequest")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_on_reads(s3: Any, bucket: str, algorithm: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"body", ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    for call in (s3.get_object, s3.head_object):
        assert call(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[name] == put[name]
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectSize", "ETag"])
    assert found["Checksum"] == {name: put[name], "ChecksumType": "FULL_OBJECT"}
    assert (found["ObjectSize"], found["ETag"]) == (4, put["ETag"].strip('"'))
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ChecksumAlgorithm"] == [algorithm]


def test_another_algorithm_than_that_of_the_checksum(raw: Raw, bucket: str) -> None:
    headers = {"x-amz-sdk-checksum-algorithm": "SHA256", "x-amz-checksum-crc32": "AAAAAA=="}
    answer = raw("PUT", f"/{bucket}/k", headers)
    assert (answer.status, answer.code) == (400, "InvalidRequest")


def test_two_checksums_at_once(raw: Raw, bucket: str) -> None:
    headers = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}
    answer = raw("PUT", f"/{bucket}/k", headers)
    assert (answer.status, answer.code) == (400, "InvalidRequest")


@pytest.mark.parametrize("attributes", ["", "Nonsense", "ETag,Nonsense"])
def test_attributes_that_do_not_exist(raw: Raw, bucket: str, attributes: str) -> None:
    raw("PUT", f"/{bucket}/k", body=b"x")
    answer = raw("GET", f"/{bucket}/k?attributes", {"x-amz-object-attributes": attributes})
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_attributes_need_their_header(raw: Raw, bucket: str) -> None:
    raw("PUT", f"/{bucket}/k", body=b"x")
    answer = raw("GET", f"/{bucket}/k?attributes")
    assert (answer.status, answer.code) == (400, "InvalidRequest")


@pytest.mark.parametrize("value", ["", "AWS HAHAHA", "AWS4-HMAC-SHA256 Credential=x", "Basic dTpw"])
def test_an_authorization_that_is_none(raw: Raw, bucket: str, value: str) -> None:
    answer = raw("PUT", f"/{bucket}/k", {"Authorization": value}, b"x")
    expected = {"": (403, "AccessDenied"), "AWS4": (400, "AuthorizationHeaderMalformed")}
    assert (answer.status, answer.code) == expected.get(value[:4], (400, "InvalidArgument"))


@pytest.mark.parametrize("date", ["Bad Date", ""])
def test_a_date_that_is_none(raw: Raw, bucket: str, date: str) -> None:
    answer = raw("PUT", f"/{bucket}/k", {"X-Amz-Date": date}, b"x")
    assert (answer.status, answer.code) == (403, "AccessDenied")


def test_a_date_beside_the_other(raw: Raw, bucket: str) -> None:
    assert raw("PUT", f"/{bucket}/k", {"Date": "Tue, 07 Jul 2009 21:53:04 GMT"}, b"x").status == 200


@pytest.mark.parametrize("seconds", [0, -7, 609_901, "x"])
def test_how_long_a_presigned_url_is_good(s3: Any, raw: Raw, bucket: str, seconds: object) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=3600)
    target = url.removeprefix(raw.url)
    assert raw("GET", target, signed=False).body == b"x"
    if "X-Amz-Expires" not in target:  # the old kind of URL has a time in the place of a duration
        target = f"/{bucket}/k?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        target += "&X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
        target += "&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00&X-Amz-Expires=3600"
    answer = raw("GET", target.replace("=3600", f"={seconds}"), signed=False)
    expected = (403, "AccessDenied") if seconds == 0 else (400, "AuthorizationQueryParametersError")
    assert (answer.status, answer.code) == expected


def test_a_presigned_put_whose_url_has_the_checksum_of_nothing(raw: Raw, bucket: str) -> None:
    """As the SDK for JavaScript makes them: it has no body to sign."""
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
    query += "&X-Amz-Date=29990101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00&X-Amz-Expires=60"
    query += "&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&x-amz-meta-a=b&x-id=PutObject"
    assert raw("PUT", f"/{bucket}/k?{query}", body=b"hello", signed=False).status == 200
    answer = raw("GET", f"/{bucket}/k")
    assert (answer.body, answer.headers["x-amz-meta-a"]) == (b"hello", "b")
