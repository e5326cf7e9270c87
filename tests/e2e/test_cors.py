"""A page of another site in a browser, by the requests that the browser sends: only the bucket's CORS rules let it in.

What a browser sends and wants is in the Fetch standard ("CORS protocol"); how S3 answers, in "Using cross-origin resource
sharing (CORS)" of the Amazon S3 User Guide.
"""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Iterator
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

import peers
import pytest
from e2e.boto import s3_client

PAGE = "https://page.example"
RULES = [
    {
        "AllowedOrigins": [PAGE, "https://*.trusted.example"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["content-type", "x-amz-*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 600,
    },
]


@pytest.fixture(scope="module")
def bucket(standalone: peers.Server) -> Iterator[str]:
    """A bucket with the rules and one object."""
    name = f"cors-{uuid.uuid4().hex[:12]}"
    client = s3_client(standalone.url)
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="k", Body=b"hello")
    client.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": RULES})
    yield name
    client.close()


def send(url: str, method: str, path: str, body: bytes | None = None, **fields: str) -> tuple[int, Message, bytes]:
    """Status, headers and body of the answer; ``_`` in a field's name is ``-``. With an Origin it is a page's request, for
    which browsers add where it comes from (Fetch Metadata)."""
    if "Origin" in fields:
        fields["Sec_Fetch_Site"] = "cross-site"
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def preflight(server: peers.Server, bucket: str, method: str, **fields: str) -> tuple[int, Message]:
    asked = {"Origin": PAGE, "Access_Control_Request_Method": method, **fields}
    return send(server.url, "OPTIONS", f"/{bucket}/k", **asked)[:2]


def words(field: Any) -> set[str]:
    return {word.strip().lower() for word in str(field).split(",")}


@pytest.mark.parametrize("origin", [PAGE, "https://app.trusted.example"])
def test_a_preflight_that_the_rules_allow(standalone: peers.Server, bucket: str, origin: str) -> None:
    asked = {"Access_Control_Request_Headers": "content-type, x-amz-date"}
    status, headers = preflight(standalone, bucket, "PUT", Origin=origin, **asked)
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == origin
    assert words(headers["Access-Control-Allow-Methods"]) == {"get", "put"}
    assert words(headers["Access-Control-Allow-Headers"]) == {"content-type", "x-amz-date"}
    assert headers["Access-Control-Max-Age"] == "600"
    assert "origin" in words(headers["Vary"])


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("DELETE", {}),
        ("GET", {"Origin": "https://evil.example"}),
        ("GET", {"Origin": "https://trusted.example"}),
        ("PUT", {"Access_Control_Request_Headers": "authorization"}),
    ],
)
def test_a_preflight_that_they_do_not(
    standalone: peers.Server, bucket: str, method: str, fields: dict[str, str]
) -> None:
    status, headers = preflight(standalone, bucket, method, **fields)
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_request_that_the_rules_allow(standalone: peers.Server, bucket: str, method: str) -> None:
    body = b"hello" if method == "PUT" else None
    status, headers, data = send(standalone.url, method, f"/{bucket}/k", body, Origin=PAGE)
    assert (status, data) == (200, b"" if method == "PUT" else b"hello")
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert words(headers["Access-Control-Expose-Headers"]) == {"etag"}
    assert "origin" in words(headers["Vary"])


@pytest.mark.parametrize(
    ("method", "origin"), [("GET", "https://evil.example"), ("DELETE", PAGE), ("PUT", "https://trusted.example")]
)
def test_a_request_that_they_do_not_is_not_carried_out(
    standalone: peers.Server, bucket: str, method: str, origin: str
) -> None:
    body = b"changed" if method == "PUT" else None
    status, headers, data = send(standalone.url, method, f"/{bucket}/k", body, Origin=origin)
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers
    assert b"hello" not in data
    assert send(standalone.url, "GET", f"/{bucket}/k")[2] == b"hello"


@pytest.mark.parametrize("path", ["/{bucket}/k", "/", "/no-such-bucket/k"])
def test_without_rules_no_page_of_another_site_gets_in(standalone: peers.Server, path: str) -> None:
    client = s3_client(standalone.url)
    name = f"plain-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="k", Body=b"hello")
    client.close()
    status, headers, data = send(standalone.url, "GET", path.format(bucket=name), Origin=PAGE)
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers
    assert b"hello" not in data


def test_no_origin_no_headers(standalone: peers.Server, bucket: str) -> None:
    status, headers, _ = send(standalone.url, "GET", f"/{bucket}/k")
    assert status == 200
    assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_a_page_of_another_site_cannot_take_the_rules_away(standalone: peers.Server, bucket: str) -> None:
    """What the rules allow is about the bucket's objects as much as about the bucket; DELETE is not in them."""
    assert send(standalone.url, "DELETE", f"/{bucket}?cors", Origin=PAGE)[0] == 403
    assert send(standalone.url, "GET", f"/{bucket}/k", Origin=PAGE)[0] == 200
