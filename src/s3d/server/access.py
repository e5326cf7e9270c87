"""Who may send requests, as long as there are no client credentials: programs on this machine, and nobody through them.

A daemon on loopback that lends its credentials is reachable by every web page that the machine's browser shows. Browsers
say where a request comes from (Fetch Metadata), so what another site's page sends on its own is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from s3d.s3.authorization import Authorization, Kind
from s3d.s3.errors import S3Error


def check_peer(address: str | None) -> None:
    """Refuses a client that is not on loopback: AccessDenied. ``address`` is its IP address, None if it is unknown."""
    if address is None or not _is_loopback(address):
        raise S3Error("AccessDenied", "This daemon has no client credentials, so it serves clients on loopback only.")


def check_browser(method: str, headers: Mapping[str, str], authorization: Authorization) -> None:
    """Refuses what a web page of another site sends on its own: AccessDenied.

    An unsigned request is one. So is every POST: browsers send it without asking first (no CORS preflight), and a
    signature proves nothing as long as it cannot be verified here. Pages of the same site, other ports included, pass.
    """
    if headers.get("Sec-Fetch-Site", "").lower() != "cross-site" or method == "OPTIONS":
        return
    if authorization.kind is Kind.NONE or method == "POST":
        raise S3Error("AccessDenied", "A web page of another site may not send such requests to this daemon.")


def _is_loopback(address: str) -> bool:
    if address.startswith("127."):
        return True
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
