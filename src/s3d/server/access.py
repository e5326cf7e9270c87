"""Who may send requests, as long as there are no client credentials: programs on this machine, and nobody through them.

A daemon on loopback that lends its credentials is reachable by every web page that the machine's browser shows. Browsers
say where a request comes from (Fetch Metadata); one that another site caused and that carries no signature is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from s3d.s3.authorization import Authorization, Kind
from s3d.s3.errors import S3Error

_OWN = ("", "none", "same-origin")


def check_peer(address: str | None) -> None:
    """Refuses a client that is not on loopback: AccessDenied. ``address`` is its IP address, None if it is unknown."""
    if address is None or not _is_loopback(address):
        raise S3Error("AccessDenied", "This daemon has no client credentials, so it serves clients on loopback only.")


def check_browser(headers: Mapping[str, str], authorization: Authorization, *, form: bool) -> None:
    """Refuses what a web page of another site sends on its own: AccessDenied. Signed requests are an application's.

    ``form``: a POST form brings its signature in its fields, which are judged when they are read.
    """
    if authorization.kind is Kind.NONE and not form and is_cross_site(headers):
        raise S3Error("AccessDenied", "A web page of another site may not send unsigned requests to this daemon.")


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page of another site caused the request."""
    return headers.get("Sec-Fetch-Site", "").lower() not in _OWN


def _is_loopback(address: str) -> bool:
    if address.startswith("127."):
        return True
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
