"""Reading a client's signature. What is malformed, and how, is in tests/wire/malformed.py."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from s3d.s3.authorization import ANONYMOUS, Authorization, Kind, check_expiry, headers_in_query, read, strip_query
from s3d.s3.errors import S3Error
from s3d.s3.uri import parse_query

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = Credentials("AKID", "secret", "token")


def query_of(url: str | None) -> list[tuple[str, str]]:
    assert url is not None
    return parse_query(url.partition("?")[2])


def test_nothing() -> None:
    assert read(CIMultiDict(), []) == ANONYMOUS
    assert read(CIMultiDict(), [("prefix", "a"), ("Signature", "x")]) == ANONYMOUS
    assert read(CIMultiDict(), [("Expires", "x"), ("AWSAccessKeyId", "x")]) == ANONYMOUS


def test_a_header_of_botocore() -> None:
    request = AWSRequest("GET", "http://localhost/b/k")
    request.context["client_config"] = None
    S3SigV4Auth(KEYS, "s3", "us-east-1").add_auth(request)
    assert read(CIMultiDict(request.headers.items()), []) == Authorization(Kind.HEADER, 4, "AKID")


def test_a_url_of_botocore() -> None:
    request = AWSRequest("GET", "http://localhost/b/k?versionId=1")
    S3SigV4QueryAuth(KEYS, "s3", "us-east-1", expires=60).add_auth(request)
    query = query_of(request.url)
    found = read(CIMultiDict(), query)
    assert (found.kind, found.version, found.access_key) == (Kind.QUERY, 4, "AKID")
    assert found.expires_at is not None
    assert timedelta(0) < found.expires_at - datetime.now(UTC) <= timedelta(seconds=60)
    assert strip_query(query, found) == [("versionId", "1")]


def test_an_old_url_of_botocore() -> None:
    request = AWSRequest("GET", "http://localhost/b/k?versionId=1")
    request.auth_path = "/b/k"
    HmacV1QueryAuth(KEYS, expires=60).add_auth(request)
    query = query_of(request.url)
    found = read(CIMultiDict(), query)
    assert (found.kind, found.version, found.access_key) == (Kind.QUERY, 2, "AKID")
    assert found.expires_at is not None
    assert found.expires_at > datetime.now(UTC)
    assert strip_query(query, found) == [("versionId", "1")]


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=ab",
        "AWS4-HMAC-SHA256  Signature=AB , Credential=A/20260101//s3/aws4_request, SignedHeaders=host",
        "AWS4-ECDSA-P256-SHA256 Credential=A/20260101/s3/aws4_request, SignedHeaders=host, Signature=3045",
    ],
)
def test_other_ways_to_write_it(header: str) -> None:
    headers = CIMultiDict({"Authorization": header, "Date": "Thu, 01 Jan 2026 00:00:00 GMT"})
    assert read(headers, []) == Authorization(Kind.HEADER, 4, "A")


def test_an_access_key_with_slashes() -> None:
    """As some identity servers hand out."""
    header = "AWS4-HMAC-SHA256 Credential=a/b/20260101/r/s3/aws4_request, SignedHeaders=host, Signature=ab"
    assert read(CIMultiDict({"Authorization": header, "x-amz-date": "20260101T000000Z"}), []).kind is Kind.HEADER


def test_the_old_header() -> None:
    headers = CIMultiDict({"Authorization": "AWS AK:ID:c2ln", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"})
    assert read(headers, []) == Authorization(Kind.HEADER, 2, "AK:ID")


def test_the_query_is_left_alone_unless_it_has_the_signature() -> None:
    query = [("Expires", "1"), ("X-Amz-Date", "x")]
    assert strip_query(query, ANONYMOUS) == query
    assert strip_query(query, Authorization(Kind.HEADER, 4, "A")) == query
    assert strip_query(query, Authorization(Kind.QUERY, 4, "A")) == [("Expires", "1")]
    assert strip_query(query, Authorization(Kind.QUERY, 2, "A")) == [("X-Amz-Date", "x")]


def test_the_checksum_in_a_url_is_that_of_nothing() -> None:
    query = [
        ("X-Amz-Checksum-Crc32", "AAAAAA=="),
        ("x-amz-checksum-mode", "ENABLED"),
        ("x-amz-meta-a", "b"),
        ("x", "y"),
    ]
    left, lifted = headers_in_query(query, Authorization(Kind.QUERY, 4, "A"))
    assert left == [("x", "y")]
    assert lifted == [("x-amz-checksum-mode", "ENABLED"), ("x-amz-meta-a", "b")]
    assert headers_in_query(query, Authorization(Kind.HEADER, 4, "A")) == (query, [])


def test_an_empty_header_gives_no_access() -> None:
    for text in ("", "  "):
        with pytest.raises(S3Error) as caught:
            read(CIMultiDict({"Authorization": text}), [])
        assert caught.value.code == "AccessDenied"


def test_expiry() -> None:
    check_expiry(ANONYMOUS, NOW)
    check_expiry(Authorization(Kind.QUERY, 4, "A", NOW), NOW)
    with pytest.raises(S3Error) as caught:
        check_expiry(Authorization(Kind.QUERY, 4, "A", NOW), NOW + timedelta(seconds=1))
    assert caught.value.code == "AccessDenied"
    assert caught.value.elements == {"Expires": "2026-01-01T00:00:00Z", "ServerTime": "2026-01-01T00:00:01Z"}


def test_the_end_of_time() -> None:
    query = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "A/99991231/r/s3/aws4_request"),
        ("X-Amz-Date", "99991231T235959Z"),
        ("X-Amz-Expires", "604800"),
        ("X-Amz-SignedHeaders", "host"),
        ("X-Amz-Signature", "ab"),
    ]
    found = read(CIMultiDict(), query)
    assert found.expires_at is not None
    assert found.expires_at.year == 9999


@given(
    st.text(),
    st.text(),
    st.dictionaries(
        st.sampled_from(
            [
                "X-Amz-Signature",
                "x-amz-expires",
                "AWSAccessKeyId",
                "Signature",
                "Expires",
                "X-Amz-Date",
                "X-Amz-Credential",
            ]
        ),
        st.text(),
    ),
)
def test_anything_is_read_or_refused(header: str, date: str, query: dict[str, str]) -> None:
    for headers in (
        {},
        {"Authorization": f"AWS4-HMAC-SHA256 {header}", "Date": date},
        {"Authorization": "AWS a:b", "Date": date},
    ):
        with contextlib.suppress(S3Error):
            read(CIMultiDict(headers), list(query.items()))
