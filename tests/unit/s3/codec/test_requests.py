from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from unit.s3.codec import samples

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import Query, S3Request
from s3d.s3.model import OPERATIONS


def parse(operation: str, body: bytes = b"", *, query: Query | None = None, **headers: str) -> Any:
    fields = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    what = OPERATIONS[operation]
    key = "k" if what.level == "object" else None
    request = S3Request(what.method, operation, "b", key, query or [], fields)
    members = codec.parse_request(request, body)
    assert members.pop("Bucket", "b") == "b"
    assert members.pop("Key", "k") == "k"
    return members


def test_headers_compare_without_case_and_metadata_names_are_lower_case() -> None:
    headers = {"CONTENT_TYPE": "a/b", "X_AMZ_META_Colour": "Red", "x_amz_storage_class": "NEW", "User_Agent": "x"}
    assert parse("PutObject", **headers) == {
        "ContentType": "a/b",
        "Metadata": {"colour": "Red"},
        "StorageClass": "NEW",
    }


def test_the_streaming_body_is_no_member() -> None:
    assert parse("PutObject", b"data") == {}


def test_repeated_headers_are_one_list() -> None:
    headers = CIMultiDict([("If-Match", '"a"'), ("x-amz-meta-a", "1"), ("if-match", '"b"'), ("X-Amz-Meta-A", "2")])
    headers.extend([("x-amz-object-attributes", "ETag"), ("x-amz-object-attributes", "Checksum, ObjectSize")])
    assert codec.parse_request(S3Request("GET", "GetObject", "b", "k", headers=headers), b"")["IfMatch"] == '"a","b"'
    assert codec.parse_request(S3Request("PUT", "PutObject", "b", "k", headers=headers), b"")["Metadata"] == {
        "a": "1,2"
    }
    attributes = codec.parse_request(S3Request("GET", "GetObjectAttributes", "b", "k", headers=headers), b"")
    assert attributes["ObjectAttributes"] == ["ETag", "Checksum", "ObjectSize"]


def test_of_a_repeated_parameter_the_first_counts() -> None:
    assert parse("ListObjects", query=[("prefix", "a"), ("prefix", "b"), ("Prefix", "c")]) == {"Prefix": "a"}


@pytest.mark.parametrize(
    ("operation", "query", "headers", "name", "value"),
    [
        ("ListObjectsV2", [("max-keys", "abc")], {}, "max-keys", "abc"),
        ("ListObjectsV2", [("max-keys", "-1")], {}, "max-keys", "-1"),
        ("ListObjectsV2", [("encoding-type", "x")], {}, "encoding-type", "x"),
        ("ListObjectsV2", [("fetch-owner", "x")], {}, "fetch-owner", "x"),
        ("GetObject", [("partNumber", "99999999999")], {}, "partNumber", "99999999999"),
        ("GetObject", [("response-expires", "x")], {}, "response-expires", "x"),
        (
            "CopyObject",
            [],
            {"x-amz-copy-source": "b/k", "x-amz-copy-source-if-modified-since": "x"},
            "x-amz-copy-source-if-modified-since",
            "x",
        ),
        ("GetObject", [], {"x-amz-checksum-mode": "on"}, "x-amz-checksum-mode", "on"),
        ("PutObject", [], {"Content-Length": "1,2"}, "Content-Length", "1,2"),
        ("CopyObject", [], {"x-amz-metadata-directive": "KEEP"}, "x-amz-metadata-directive", "KEEP"),
        ("DeleteObject", [], {"x-amz-bypass-governance-retention": "y"}, "x-amz-bypass-governance-retention", "y"),
    ],
)
def test_bad_fields(operation: str, query: Query, headers: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse(operation, query=query, **headers)
    assert caught.value.code == "InvalidArgument"
    assert caught.value.elements == {"ArgumentName": name, "ArgumentValue": value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-1", "Argument maxKeys must be an integer between 0 and 2147483647"),
        ("abc", "Provided max-keys not an integer or within integer range"),
        ("2147483648", "Provided max-keys not an integer or within integer range"),
    ],
)
def test_what_is_said_of_a_wrong_size(text: str, message: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse("ListObjectsV2", query=[("max-keys", text)])
    assert caught.value.message == message


@pytest.mark.parametrize("name", ["max-keys", "fetch-owner", "encoding-type"])
def test_an_empty_parameter_is_none(name: str) -> None:
    assert parse("ListObjectsV2", query=[(name, "")]).keys() <= {"Bucket", "Key"}


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since"])
def test_a_time_that_is_no_date_is_no_condition(name: str) -> None:
    assert parse("GetObject", query=[], **{name: "x"}).keys() <= {"Bucket", "Key"}


def test_a_repeated_number_is_no_number() -> None:
    headers = CIMultiDict([("Content-Length", "1"), ("content-length", "2")])
    with pytest.raises(S3Error, match="InvalidArgument"):
        codec.parse_request(S3Request("PUT", "PutObject", "b", "k", headers=headers), b"")


def test_expires_is_any_text() -> None:
    assert parse("PutObject", Expires="0") == {"Expires": "0"}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("DeleteObjects", b"<Delete>"),
        ("DeleteObjects", b"<Delete/>"),
        ("DeleteObjects", b"<Tagging/>"),
        ("DeleteObjects", b""),
        ("DeleteObjects", b'<!DOCTYPE d [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>'),
        ("PutObjectTagging", b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"),
        ("SelectObjectContent", b"<SelectObjectContentRequest><Expression>x</Expression></SelectObjectContentRequest>"),
        ("SelectObjectContent", b""),
        ("PutBucketPolicy", b""),
    ],
)
def test_bad_bodies(operation: str, body: bytes) -> None:
    with pytest.raises(S3Error, match="MalformedXML"):
        parse(operation, body)


def test_an_optional_body_may_be_missing() -> None:
    assert parse("CreateBucket") == {}
    assert parse("PutBucketPolicy", b'{"a": "\xff"}') == {"Policy": '{"a": "\udcff"}'}


def test_missing_parameters() -> None:
    with pytest.raises(S3Error, match="InvalidRequest: Missing required parameter for this request: uploadId"):
        parse("ListParts")


def test_operations_that_are_not_in_the_model_have_no_members() -> None:
    assert codec.parse_request(S3Request("POST", "PostObject", "b"), b"") == {}
    assert codec.parse_request(S3Request("OPTIONS", "PreflightRequest", "b", "k"), b"") == {}
    with pytest.raises(KeyError):
        codec.parse_request(S3Request("GET", "Unknown", "b"), b"")


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(samples.OPERATIONS), st.data())
def test_whatever_arrives_is_parsed_or_refused(name: str, data: st.DataObject) -> None:
    operation = OPERATIONS[name]
    wires = [member.wire for member in operation.input if member.location in ("query", "header", "headers")] or ["x"]
    pairs = st.lists(st.tuples(st.sampled_from(wires), st.text(max_size=4)), max_size=6)
    body = data.draw(
        st.binary(max_size=10) | st.just(f"<{operation.input_root}><a>1</a></{operation.input_root}>".encode())
    )
    request = S3Request(operation.method, name, "b", "k", data.draw(pairs), CIMultiDict(data.draw(pairs)))
    try:
        assert isinstance(codec.parse_request(request, body), dict)
    except S3Error as error:
        assert error.status == 400  # noqa: PT017 - either outcome is fine


def test_build_fills_method_path_query_and_headers() -> None:
    members = {"Bucket": "b", "Key": "a//\udcff", "Metadata": {"a": "1"}, "ContentType": None, "ContentLength": 5}
    request = codec.build_request("PutObject", members)
    assert (request.method, request.operation, request.bucket, request.key) == ("PUT", "PutObject", "b", "a//\udcff")
    assert list(request.headers.items()) == [("x-amz-meta-a", "1"), ("Content-Length", "5")]
    listing = codec.build_request("ListObjectsV2", {"Bucket": "b", "MaxKeys": 3, "FetchOwner": True})
    assert listing.query == [("list-type", "2"), ("max-keys", "3"), ("fetch-owner", "true")]
    again = codec.build_request("ListObjectsV2", {"Bucket": "b"})
    assert again.query == [("list-type", "2")]


def test_build_writes_the_body_with_a_checksum_where_one_is_required() -> None:
    tagging = {"Bucket": "b", "Key": "k", "Tagging": {"TagSet": [{"Key": "a", "Value": "1"}]}}
    request = codec.build_request("PutObjectTagging", tagging)
    assert request.body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
    )
    assert request.headers["Content-MD5"] == "6VtLkEJxwGJGgaBM2VOpFw=="
    assert codec.build_request("PutObjectTagging", {**tagging, "ContentMD5": "x"}).headers["Content-MD5"] == "x"
    acl = {"Bucket": "b", "AccessControlPolicy": {}}
    assert "Content-MD5" in codec.build_request("PutBucketAcl", acl).headers
    assert "Content-MD5" not in codec.build_request("PutObject", {"Bucket": "b", "Key": "k"}).headers


@pytest.mark.parametrize(
    ("operation", "members", "message"),
    [
        ("PutObject", {"Bucket": "b"}, "PutObject lacks Key"),
        ("PutObject", {"Bucket": "b", "Key": "k", "Body": b""}, "PutObject has no member Body"),
        ("DeleteObjects", {"Bucket": "b", "Delete": {"Keys": []}}, "Delete has no member Keys"),
    ],
)
def test_build_refuses_what_the_model_does_not_have(operation: str, members: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        codec.build_request(operation, members)


def test_write_get_object_response_has_its_own_path() -> None:
    request = codec.build_request("WriteGetObjectResponse", {"RequestRoute": "r", "RequestToken": "t"})
    assert (request.bucket, request.key) == ("WriteGetObjectResponse", None)
