"""Who is served."""

from __future__ import annotations

import contextlib

import pytest
from multidict import CIMultiDict

from s3d.s3.authorization import ANONYMOUS, Authorization, Kind
from s3d.s3.errors import S3Error
from s3d.server.access import check_browser, check_host, check_peer

SIGNED = Authorization(Kind.QUERY, 4, "A")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::1%lo"])
def test_this_machine_is_served(address: str) -> None:
    check_peer(address)


@pytest.mark.parametrize(
    "address", [None, "", "10.0.0.1", "128.0.0.1", "::2", "fe80::1%eth0", "::ffff:10.0.0.1", "nonsense"]
)
def test_others_are_not(address: str | None) -> None:
    with pytest.raises(S3Error) as caught:
        check_peer(address)
    assert caught.value.code == "AccessDenied"


@pytest.mark.parametrize(
    ("method", "site", "authorization", "passes"),
    [
        ("GET", None, ANONYMOUS, True),
        ("GET", "same-origin", ANONYMOUS, True),
        ("GET", "none", ANONYMOUS, True),
        ("GET", "cross-site", ANONYMOUS, False),
        ("GET", "Cross-Site", ANONYMOUS, False),
        ("PUT", "cross-site", ANONYMOUS, False),
        ("GET", "cross-site", SIGNED, False),
        ("PUT", "cross-site", SIGNED, False),
        ("OPTIONS", "cross-site", ANONYMOUS, True),
        ("POST", "cross-site", SIGNED, False),
        ("POST", "same-origin", ANONYMOUS, True),
    ],
)
def test_browsers(method: str, site: str | None, authorization: Authorization, passes: bool) -> None:
    headers = CIMultiDict({"Sec-Fetch-Site": site} if site else {})
    if passes:
        check_browser(method, headers, authorization)
        return
    with pytest.raises(S3Error) as caught:
        check_browser(method, headers, authorization)
    assert caught.value.code == "AccessDenied"


def test_a_link_to_a_presigned_url() -> None:
    headers = CIMultiDict({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    check_browser("GET", headers, SIGNED)
    for method, authorization in (("GET", ANONYMOUS), ("POST", SIGNED), ("PUT", SIGNED)):
        with pytest.raises(S3Error, match="AccessDenied"):
            check_browser(method, headers, authorization)


@pytest.mark.parametrize(
    ("bucket", "origin", "method", "passes"),
    [
        ("bucket", "https://page.example", "PUT", True),
        ("bucket", "https://page.example", "GET", False),
        ("bucket", "https://other.example", "PUT", False),
        ("other", "https://page.example", "PUT", False),
        (None, "https://page.example", "PUT", False),
        ("bucket", None, "PUT", False),
    ],
)
def test_origins_that_the_bucket_allows(bucket: str | None, origin: str | None, method: str, passes: bool) -> None:
    def allows(*asked: str | None) -> bool:
        return asked == ("bucket", "https://page.example", "PUT")

    headers = CIMultiDict({"Sec-Fetch-Site": "cross-site"} | ({"Origin": origin} if origin else {}))
    if passes:
        check_browser(method, headers, ANONYMOUS, bucket, allows)
        return
    with pytest.raises(S3Error, match="AccessDenied"):
        check_browser(method, headers, ANONYMOUS, bucket, allows)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "LOCALHOST:33333",
        "bucket.localhost:1",
        "127.0.0.1:33333",
        "[::1]:1",
        "s3.test",
        "b.s3.test.",
    ],
)
def test_own_names(host: str) -> None:
    check_host(host, ("0.0.0.0", "s3.test"))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:33333", "evillocalhost", "localhost.evil.example", "s3.test.x"]
)
def test_names_of_others(host: str) -> None:
    """Any page can make its own name resolve to this machine; then it is of the same origin."""
    with pytest.raises(S3Error, match="AccessDenied"):
        check_host(host, ("0.0.0.0", "s3.test"))


@pytest.mark.parametrize(
    ("method", "origin", "host", "passes"),
    [
        ("POST", "https://evil.example", "s3.lan:33333", False),
        ("POST", "null", "s3.lan", False),
        ("POST", "http://[", "s3.lan", False),
        ("POST", "", "s3.lan", False),
        ("POST", "http://evils3.lan", "s3.lan", False),
        ("POST", "https://evil.example", "localhost", False),
        ("POST", "http://s3.lan:8080", "s3.lan:33333", True),
        ("POST", "http://app.s3.lan", "s3.lan", True),
        ("POST", "http://s3.lan", "bucket.s3.lan", True),
        ("POST", "http://localhost:3000", "bucket.localhost:33333", True),
        ("POST", "http://127.0.0.1:3000", "localhost", True),
        ("POST", "http://[::1]:3000", "localhost", True),
        ("GET", "https://evil.example", "s3.lan", True),
        ("PUT", "https://evil.example", "s3.lan", True),
    ],
)
def test_a_form_to_a_name_that_browsers_do_not_trust(method: str, origin: str, host: str, passes: bool) -> None:
    """They send no Sec-Fetch-Site there. PUT and DELETE of another site have a preflight, and GET cannot be read."""
    headers = CIMultiDict({"Origin": origin, "Host": host})
    with contextlib.nullcontext() if passes else pytest.raises(S3Error, match="AccessDenied"):
        check_browser(method, headers, ANONYMOUS)
    check_browser(method, headers, ANONYMOUS, "bucket", lambda bucket, allowed, method: allowed == origin)
