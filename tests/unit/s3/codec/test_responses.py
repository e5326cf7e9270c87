from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from multidict import CIMultiDict

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def body_of(operation: str, members: dict[str, Any]) -> str:
    response = codec.build_response(operation, members)
    assert isinstance(response.body, bytes)
    assert response.headers["Content-Type"] == "application/xml"
    assert response.headers["Content-Length"] == str(len(response.body))
    return response.body.decode().removeprefix('<?xml version="1.0" encoding="UTF-8"?>\n')


def test_a_list_as_s3_writes_it() -> None:
    contents = [{"Key": "a\r&", "LastModified": TIME, "ETag": '"e"', "Size": 1, "StorageClass": "STANDARD"}]
    members = {
        "Name": "b",
        "Prefix": "",
        "IsTruncated": False,
        "Contents": contents,
        "CommonPrefixes": [{"Prefix": "p/"}],
    }
    assert body_of("ListObjectsV2", members) == (
        f"<ListBucketResult {XMLNS}><Name>b</Name><Prefix></Prefix><IsTruncated>false</IsTruncated>"
        "<Contents><Key>a&#13;&amp;</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
        "<ETag>&quot;e&quot;</ETag><Size>1</Size><StorageClass>STANDARD</StorageClass></Contents>"
        "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>"
    )


@pytest.mark.parametrize(
    ("operation", "members", "document"),
    [
        (
            "ListBuckets",
            {"Buckets": []},
            f"<ListAllMyBucketsResult {XMLNS}><Buckets></Buckets></ListAllMyBucketsResult>",
        ),
        ("GetBucketVersioning", {}, f"<VersioningConfiguration {XMLNS}></VersioningConfiguration>"),
        ("GetBucketLocation", {}, f"<LocationConstraint {XMLNS}></LocationConstraint>"),
        (
            "GetBucketLocation",
            {"LocationConstraint": "eu-west-1"},
            f"<LocationConstraint {XMLNS}>eu-west-1</LocationConstraint>",
        ),
        (
            "CopyObject",
            {"CopyObjectResult": {"ETag": "e"}},
            f"<CopyObjectResult {XMLNS}><ETag>e</ETag></CopyObjectResult>",
        ),
        ("DeleteObjects", {}, f"<DeleteResult {XMLNS}></DeleteResult>"),
        (
            "CreateMultipartUpload",
            {"UploadId": "u"},
            f"<InitiateMultipartUploadResult {XMLNS}><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        ),
        ("GetObjectTagging", {"TagSet": []}, f"<Tagging {XMLNS}><TagSet></TagSet></Tagging>"),
        (
            "GetObjectRetention",
            {"Retention": {"RetainUntilDate": TIME}},
            f"<Retention {XMLNS}><RetainUntilDate>2026-01-02T03:04:05.000Z</RetainUntilDate></Retention>",
        ),
    ],
)
def test_roots_are_those_of_the_wire(operation: str, members: dict[str, Any], document: str) -> None:
    assert body_of(operation, members) == document


def test_headers_only() -> None:
    members = {"ContentLength": 5, "LastModified": TIME, "ETag": '"e"', "Metadata": {"a": "1"}, "DeleteMarker": True}
    response = codec.build_response("HeadObject", members)
    assert dict(response.headers) == {
        "Content-Length": "5",
        "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT",
        "ETag": '"e"',
        "x-amz-meta-a": "1",
        "x-amz-delete-marker": "true",
    }
    assert response.body == b""


def test_status_and_length() -> None:
    deleted = codec.build_response("DeleteObject", {})
    assert (deleted.status, dict(deleted.headers)) == (204, {})
    put = codec.build_response("PutObject", {"ETag": '"e"', "VersionId": None})
    assert (put.status, dict(put.headers)) == (200, {"ETag": '"e"', "Content-Length": "0"})
    ranged = codec.build_response("GetObject", {"ContentRange": "bytes 0-1/5"}, status=206)
    assert (ranged.status, dict(ranged.headers)) == (206, {"Content-Range": "bytes 0-1/5"})


def test_a_policy_is_text() -> None:
    response = codec.build_response("GetBucketPolicy", {"Policy": "{}"})
    assert response.body == b"{}"
    assert codec.parse_response("GetBucketPolicy", response, b"{}") == {"Policy": "{}"}


@pytest.mark.parametrize("operation", ["HeadObject", "ListObjectsV2", "PutObject"])
def test_unknown_member(operation: str) -> None:
    with pytest.raises(ValueError, match=f"{operation} has no member Nonsense"):
        codec.build_response(operation, {"Nonsense": 1})


def test_parse_is_tolerant_of_what_servers_leave_out() -> None:
    body = b"<ListPartsResult><PartNumberMarker/><MaxParts>5</MaxParts><New/></ListPartsResult>"
    assert codec.parse_response("ListParts", S3Response(200), body) == {"MaxParts": 5}
    assert codec.parse_response("ListParts", S3Response(200), b"") == {}
    headers = CIMultiDict({"etag": '"e"', "X-Amz-Meta-A": "1", "Server": "x"})
    assert codec.parse_response("HeadObject", S3Response(200, headers), b"") == {"ETag": '"e"', "Metadata": {"a": "1"}}


def test_an_answer_that_is_not_s3s() -> None:
    with pytest.raises(S3Error, match="InternalError: The remote's answer to ListParts is not valid: not well-formed"):
        codec.parse_response("ListParts", S3Response(200), b"<html>")
    with pytest.raises(S3Error, match=r"InternalError.*Last-Modified is not a valid date"):
        codec.parse_response("HeadObject", S3Response(200, CIMultiDict({"Last-Modified": "x"})), b"")
