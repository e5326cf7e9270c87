"""Who may send requests, as long as there are no client credentials: programs on this machine, and nobody through them.

A daemon on loopback that lends its credentials is reachable by every web page that the machine's browser shows. Browsers
say where a request comes from (Fetch Metadata), and what another site's page causes is refused. A page can make its own
name resolve to this machine (DNS rebinding); so the name that a request is sent to has to be one of the daemon's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from s3d.s3.addressing import host_name
from s3d.s3.authorization import Authorization, Kind
from s3d.s3.errors import S3Error

AllowsOrigin = Callable[[str | None, str, str], bool]
"""Whether a bucket (None: none is named) takes requests of a page of an origin (the Origin field), with a method."""


def check_peer(address: str | None) -> None:
    """Refuses a client that is not on loopback: AccessDenied. ``address`` is its IP address, None if it is unknown."""
    if address is None or not _is_loopback(address):
        raise S3Error("AccessDenied", "This daemon has no client credentials, so it serves clients on loopback only.")


@lru_cache(1024)  # of names that pass: an error is not remembered
def check_host(host: str, names: tuple[str, ...]) -> None:
    """Refuses a request to a name that is not the daemon's: AccessDenied. ``host`` is a Host field, ``names`` are those
    of the daemon; names below them and below localhost, and IP addresses, which nobody can rebind, are its own too."""
    name = host_name(host)
    if not name or any(name == own or name.endswith("." + own) for own in ("localhost", *names)) or _is_address(name):
        return
    message = f"This daemon does not answer to the name {name}: use localhost, or add the name to S3D_DOMAIN."
    raise S3Error("AccessDenied", message)


def check_browser(
    method: str,
    headers: Mapping[str, str],
    authorization: Authorization,
    bucket: str | None = None,
    allows_origin: AllowsOrigin | None = None,
) -> None:
    """Refuses what a web page of another site causes: AccessDenied. A signature does not help, as it cannot be verified.

    Pages of the same site, other ports included, pass. So do preflights, which ask and change nothing, links to presigned
    URLs, whose answers the other site's page cannot read, and pages whose origin the bucket's own rules allow.
    """
    if not _is_cross_site(method, headers) or method == "OPTIONS":
        return
    origin = headers.get("Origin")
    if origin is not None and allows_origin is not None and allows_origin(bucket, origin, method):
        return
    link = method in ("GET", "HEAD") and headers.get("Sec-Fetch-Mode", "").lower() == "navigate"
    if authorization.kind is Kind.NONE or not link:
        raise S3Error("AccessDenied", "A web page of another site may not send requests to this daemon.")


def _is_cross_site(method: str, headers: Mapping[str, str]) -> bool:
    """As the browser says. It says nothing to a name that may be another machine's (http and S3D_DOMAIN; section 2 of Fetch
    Metadata): then a form counts by its Origin. Of the methods that change something, only POST comes without a preflight.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None or method != "POST" or "Origin" not in headers:
        return (site or "").lower() == "cross-site"
    try:
        page = urlsplit(headers["Origin"]).hostname or ""
    except ValueError:
        return True
    own = host_name(headers.get("Host", ""))
    related = page == own or page.endswith(f".{own}") or own.endswith(f".{page}")
    return not page or not (related or page == "localhost" or page.endswith(".localhost") or _is_loopback(page))


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


@lru_cache(1024)
def _is_loopback(address: str) -> bool:
    if address.startswith("127."):
        return True
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
