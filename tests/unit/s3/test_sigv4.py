"""Our signatures against those of botocore's own signers, an independent reading of the same specification."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from s3d.s3.sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD, Credentials, Signer
from s3d.s3.uri import format_query, quote_path

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOST = "bucket.example.com"
PLAIN = Credentials("AKID", "secret/+=")
WITH_TOKEN = Credentials("AKID", "secret/+=", "token/+=")


@pytest.fixture(autouse=True, scope="module")
def botocores_clock() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda remove_tzinfo=True: NOW.replace(tzinfo=None))
        yield


def boto(credentials: Credentials) -> BotoCredentials:
    return BotoCredentials(credentials.access_key, credentials.secret_key, credentials.session_token)


def by_botocore(
    method: str, url: str, headers: dict[str, str], payload: str, credentials: Credentials, region: str
) -> dict[str, str]:
    request = AWSRequest(method, url, headers={**headers, "X-Amz-Content-SHA256": payload})
    request.context["client_config"] = None
    signer = botocore.auth.S3SigV4Auth(boto(credentials), "s3", region)
    signer.payload = lambda _request: payload
    signer.add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def by_us(
    method: str,
    key: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    payload: str,
    credentials: Credentials,
    region: str,
) -> dict[str, str]:
    signed: CIMultiDict[str] = CIMultiDict({**headers, "Host": HOST})
    Signer(region).sign_headers(method, quote_path(f"/{key}"), query, signed, payload, credentials, now=NOW)
    return {name.lower(): value for name, value in signed.items()}


def same(
    key: str, query: list[tuple[str, str]], headers: dict[str, str], credentials: Credentials = PLAIN, **more: str
) -> None:
    method, payload = more.get("method", "GET"), more.get("payload", EMPTY_SHA256)
    region = more.get("region", "us-east-1")
    url = f"https://{HOST}{quote_path(f'/{key}')}" + (f"?{format_query(query)}" if query else "")
    theirs = by_botocore(method, url, headers, payload, credentials, region)
    ours = by_us(method, key, query, headers, payload, credentials, region)
    for name in ("authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"):
        assert ours.get(name) == theirs.get(name)


KEYS = [
    "",
    "key",
    "a//b",
    "../x/./y",
    "a b+c",
    "%2F",
    "trailing/",
    "\U0001f600",
    "\u00e9",
    "~-._!*'()",
    "\udcff",
    "a&b=c?d#e",
    "\n",
]


@pytest.mark.parametrize("key", KEYS)
def test_keys(key: str) -> None:
    same(key, [], {})


@pytest.mark.parametrize(
    "query",
    [
        [("acl", "")],
        [("b", "2"), ("a", "1")],
        [("a", "2"), ("a", "1"), ("a-", "0"), ("A", "x")],
        [("prefix", "a/b c+d&e=f%\u00e9")],
        [("list-type", "2"), ("continuation-token", "1/+=="), ("start-after", "")],
    ],
)
def test_queries(query: list[tuple[str, str]]) -> None:
    same("", query, {})


def test_headers() -> None:
    headers = {"content-type": "a/b; c", "content-md5": "x==", "x-amz-meta-a": "b   c", "X-Amz-Acl": "private"}
    same("key", [], headers, method="PUT", payload=UNSIGNED_PAYLOAD)


def test_a_token_and_another_region() -> None:
    same("key", [("acl", "")], {}, WITH_TOKEN, region="cn-north-1")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.lists(st.tuples(st.text("abcXYZ-_.~/ +%=&\u00e9", min_size=1), st.text("abc-_.~/ +%=&\u00e9")), max_size=4),
)
def test_anything(key: str, query: list[tuple[str, str]]) -> None:
    same(key, query, {"x-amz-meta-a": "b"})


def test_the_values_of_a_repeated_header_are_joined() -> None:
    """As S3 does; botocore cannot send one twice."""
    one, two = (
        CIMultiDict({"Host": HOST, "x-amz-meta-a": "1,2"}),
        CIMultiDict([("Host", HOST), ("x-amz-meta-a", "1"), ("X-Amz-Meta-A", "2")]),
    )
    for headers in (one, two):
        Signer("r").sign_headers("GET", "/", [], headers, EMPTY_SHA256, PLAIN, now=NOW)
    assert one["Authorization"] == two["Authorization"]


def test_other_headers_are_not_signed() -> None:
    headers = CIMultiDict({"Host": HOST, "Range": "bytes=0-1", "User-Agent": "u"})
    Signer("r").sign_headers("GET", "/", [], headers, EMPTY_SHA256, PLAIN, now=NOW)
    assert "SignedHeaders=host;x-amz-content-sha256;x-amz-date," in headers["Authorization"]


def test_a_new_day_and_a_new_secret_have_new_keys() -> None:
    signer, seen = Signer("r"), set()
    for day, secret in ((2, "a"), (3, "a"), (3, "b"), (2, "a")):
        headers = CIMultiDict({"Host": HOST})
        signer.sign_headers("GET", "/", [], headers, EMPTY_SHA256, Credentials("A", secret), now=NOW.replace(day=day))
        fresh = CIMultiDict({"Host": HOST})
        Signer("r").sign_headers(
            "GET", "/", [], fresh, EMPTY_SHA256, Credentials("A", secret), now=NOW.replace(day=day)
        )
        assert headers["Authorization"] == fresh["Authorization"]
        seen.add(headers["Authorization"])
    assert len(seen) == 3


def test_now_is_the_default() -> None:
    headers = CIMultiDict({"Host": HOST})
    Signer("r").sign_headers("GET", "/", [], headers, EMPTY_SHA256, PLAIN)
    signed = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - signed).total_seconds()) < 60


def test_secrets_do_not_print() -> None:
    assert "secret" not in repr(WITH_TOKEN)
    assert "token/" not in repr(WITH_TOKEN)
