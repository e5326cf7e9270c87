from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from s3d.s3 import uri
from s3d.s3.model import OPERATIONS
from s3d.s3.routing import UNKNOWN, readings, route, route_leniently

Head = tuple[str, str | None, str | None, list[tuple[str, str]], CIMultiDict[str]]


def head(line: str, **headers: str) -> Head:
    """``PUT /b/k?acl`` with these headers (``_`` for ``-``)."""
    method, _, target = line.partition(" ")
    path, _, query = target.partition("?")
    bucket, _, key = path.lstrip("/").partition("/")
    fields = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return method, bucket or None, uri.unquote(key) or None, uri.parse_query(query), fields


def routed(line: str, **headers: str) -> str:
    """The operation of ``PUT /b/k?acl`` with these headers (``_`` for ``-``)."""
    return route(*head(line, **headers))


COPY = {"x_amz_copy_source": "/b/other"}
FORM = {"content_type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("line", "operation"),
    [
        ("GET /", "ListBuckets"),
        ("GET /?max-buckets=5&prefix=a", "ListBuckets"),
        ("GET /?x-id=ListDirectoryBuckets", "ListDirectoryBuckets"),
        ("GET /?x-id=GetObject", "ListBuckets"),
        ("GET /b", "ListObjects"),
        ("GET /b/", "ListObjects"),
        ("GET /b?prefix=a&delimiter=/&max-keys=3&marker=x&encoding-type=url", "ListObjects"),
        ("GET /b?list-type=2&prefix=", "ListObjectsV2"),
        ("GET /b?prefix=&list-type=2", "ListObjectsV2"),
        ("GET /b?versions&key-marker=a", "ListObjectVersions"),
        ("GET /b?uploads", "ListMultipartUploads"),
        ("GET /b?location", "GetBucketLocation"),
        ("GET /b?session", "CreateSession"),
        ("GET /b?analytics", "ListBucketAnalyticsConfigurations"),
        ("GET /b?analytics&id=1", "GetBucketAnalyticsConfiguration"),
        ("GET /b?lifecycle", "GetBucketLifecycleConfiguration"),
        ("GET /b?lifecycle&x-id=GetBucketLifecycle", "GetBucketLifecycle"),
        ("GET /b?notification", "GetBucketNotificationConfiguration"),
        ("PUT /b?lifecycle", "PutBucketLifecycleConfiguration"),
        ("PUT /b?notification", "PutBucketNotificationConfiguration"),
        ("GET /b/k", "GetObject"),
        ("GET /b/a/b/?c", UNKNOWN),
        ("GET /b/k?versionId=1&partNumber=2&response-content-type=a/b", "GetObject"),
        ("GET /b/k?uploadId=x&max-parts=3", "ListParts"),
        ("GET /b/k?attributes", "GetObjectAttributes"),
        ("GET /b/k?annotation", "ListObjectAnnotations"),
        ("GET /b/k?annotation&annotationName=a", "GetObjectAnnotation"),
        ("GET /b/k?x-id=PutObject", "GetObject"),
        ("HEAD /b", "HeadBucket"),
        ("HEAD /b/k?versionId=1", "HeadObject"),
        ("PUT /b", "CreateBucket"),
        ("PUT /b/k", "PutObject"),
        ("PUT /b/k?x-id=CopyObject", "PutObject"),
        ("PUT /b/k?X-Amz-Acl=private&x-amz-meta-a=b", "Unknown"),
        ("PUT /b/k?uploadId=x&partNumber=1", "UploadPart"),
        ("PUT /b/k?partNumber=1&uploadId=x&x-id=UploadPart", "UploadPart"),
        ("PUT /b/k?renameObject", "RenameObject"),
        ("POST /b?delete", "DeleteObjects"),
        ("POST /b/k?uploads", "CreateMultipartUpload"),
        ("POST /b/k?uploadId=x", "CompleteMultipartUpload"),
        ("POST /b/k?select&select-type=2", "SelectObjectContent"),
        ("POST /b/k?restore&versionId=3", "RestoreObject"),
        ("DELETE /b", "DeleteBucket"),
        ("DELETE /b/k?versionId=1", "DeleteObject"),
        ("DELETE /b/k?uploadId=x", "AbortMultipartUpload"),
        ("OPTIONS /b/k", "PreflightRequest"),
        ("OPTIONS /b?whatever=1", "PreflightRequest"),
    ],
)
def test_known(line: str, operation: str) -> None:
    assert routed(line) == operation


@pytest.mark.parametrize(
    "line",
    [
        "GET /b?newthing",
        "PUT /b/k?futureSubresource",
        "GET /b/k?v=123",
        "GET /b?acl&tagging",
        "GET /b?acl&newthing",
        "GET /b?list-type=1",
        "GET /b?list-type=3&list-type=2",
        "GET /b?id=1",
        "GET /b?LIST-TYPE=2",
        "GET /b?list-type=2&metadata=true",
        "PUT /b?analytics",
        "PUT /b/k?partNumber=1",
        "PUT /b/k?uploadId=1",
        "PUT /b/k?versionId=1",
        "PUT /b/k?x-amz-copy-source=/b/other",
        "PUT /b/k?uploadId=1&partNumber=1&X-Amz-Copy-Source=/b/other",
        "POST /b/k?select&select-type=3",
        "POST /b",
        "POST /b/k",
        "POST /",
        "POST /WriteGetObjectResponse",
        "DELETE /b?force=true",
        "DELETE /",
        "HEAD /",
        "HEAD /b/k?acl",
        "OPTIONS /",
        "PATCH /b/k",
        "get /b/k",
    ],
)
def test_unknown(line: str) -> None:
    assert routed(line) == UNKNOWN


def test_a_read_may_carry_its_siblings_parameters() -> None:
    assert routed("GET /b?list-type=2&marker=x") == "ListObjectsV2"
    assert routed("GET /b?start-after=x") == "ListObjects"


def test_headers_tell_copies_from_uploads() -> None:
    assert routed("PUT /b/k", **COPY) == "CopyObject"
    assert routed("PUT /b/k?x-id=PutObject", **COPY) == "CopyObject"
    assert routed("PUT /b/k?uploadId=1&partNumber=1", **COPY) == "UploadPartCopy"
    assert routed("PUT /b/k?acl", **COPY) == "PutObjectAcl"


def test_browser_forms() -> None:
    assert routed("POST /b", **FORM) == "PostObject"
    assert routed("POST /b", content_type="Multipart/Form-Data;boundary=x") == "PostObject"
    assert routed("POST /b", content_type="application/xml") == UNKNOWN
    assert routed("POST /b?delete", **FORM) == "DeleteObjects"
    assert routed("POST /b?policy", **FORM) == UNKNOWN
    assert routed("POST /b/k", **FORM) == UNKNOWN


def test_write_get_object_response() -> None:
    headers = {"x_amz_request_route": "r", "x_amz_request_token": "t"}
    assert routed("POST /WriteGetObjectResponse", **headers) == "WriteGetObjectResponse"
    assert routed("POST /other", **headers) == UNKNOWN


_METHODS = st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"])
_NAMES = st.sampled_from(sorted({name for operation in OPERATIONS.values() for name in operation.query})) | st.text()
_OPTIONAL = st.none() | st.text(max_size=2)


@given(_METHODS, _OPTIONAL, _OPTIONAL, st.lists(st.tuples(_NAMES, st.text(max_size=2)), max_size=4))
def test_whatever_arrives_has_an_answer(
    method: str, bucket: str | None, key: str | None, query: list[tuple[str, str]]
) -> None:
    name = route(method, bucket, key, query, CIMultiDict())
    assert name == UNKNOWN or OPERATIONS[name].method == method


@given(_METHODS, st.sampled_from(["", "b", "b/k"]), st.text("abcdefghij", min_size=8))
def test_a_parameter_that_nobody_knows_is_unknown(method: str, path: str, name: str) -> None:
    if method != "OPTIONS":
        assert routed(f"{method} /{path}?{name}=1") == UNKNOWN


@pytest.mark.parametrize(
    ("method", "query", "expected"),
    [
        ("GET", [("future", "")], ("GetObject", [])),
        ("GET", [("future", "1"), ("acl", "")], ("GetObjectAcl", [("acl", "")])),
        ("PUT", [("content-type", "text/plain")], ("PutObject", [])),
        ("PUT", [("future", "")], (UNKNOWN, [("future", "")])),
        ("DELETE", [("future", ""), ("versionId", "1")], (UNKNOWN, [("future", ""), ("versionId", "1")])),
        ("PUT", [("uploadId", "1")], (UNKNOWN, [("uploadId", "1")])),
    ],
)
def test_a_store_ignores_what_nobody_knows(
    method: str, query: list[tuple[str, str]], expected: tuple[str, list[tuple[str, str]]]
) -> None:
    assert route_leniently(method, "b", "k", query, CIMultiDict()) == expected


@pytest.mark.parametrize(
    ("line", "operations"),
    [
        ("DELETE /b/k?new=1", ["DeleteObject"]),
        ("DELETE /b/k?new&versionId=1", ["DeleteObject"]),
        ("delete /b/k", ["DeleteObject"]),
        ("GET /b/k?acl&tagging", ["GetObject", "GetObjectAcl", "GetObjectTagging"]),
        ("PUT /b/k?uploadId=1&partNumber=2&new", ["PutObject", "UploadPart"]),
        ("POST /b?delete&new", ["DeleteObjects"]),
        ("PATCH /b/k", []),
    ],
)
def test_what_an_unknown_one_may_be_taken_for(line: str, operations: list[str]) -> None:
    assert routed(line) == UNKNOWN
    assert readings(*head(line)) == operations
