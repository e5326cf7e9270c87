"""Where one request goes: host and path at the remote, for its bucket, its region and the addressing in use. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from s3d.remote.credentials import Location
from s3d.s3.addressing import is_dns_name
from s3d.s3.uri import quote, quote_path


@dataclass(frozen=True, slots=True)
class Route:
    """``scheme://host`` without a path, ``host`` as it goes into the Host header, and the percent-encoded path."""

    origin: str
    host: str
    path: str


def route(location: Location, addressing: str, bucket: str | None, key: str | None) -> Route:
    """The address of a bucket or key at a location. ``addressing`` is ``path``, ``virtual`` or ``auto``.

    ``auto`` is virtual-host for AWS, where newer features need it, and path-style elsewhere, where it always works. A
    bucket whose name is no DNS label (dots, capitals) is addressed by path either way.
    """
    scheme, _, host = location.endpoint.partition("://")
    virtual = addressing == "virtual" or (addressing == "auto" and location.is_aws)
    if bucket is None:
        path = "/"
    elif virtual and is_dns_name(bucket):
        host = f"{bucket}.{host}"
        path = "/" + quote_path(key or "")
    else:
        # One segment, whatever is in it: a bucket "a/b" (which no remote has) must not become a key.
        path = f"/{quote(bucket)}" if key is None else f"/{quote(bucket)}/{quote_path(key)}"
    return Route(f"{scheme}://{host}", host_header(scheme, host), path)


def host_header(scheme: str, host: str) -> str:
    """The host as HTTP clients send it: without the scheme's own port. The signature covers it, so it must agree."""
    return host.removesuffix(":443" if scheme == "https" else ":80")


def in_region(location: Location, region: str) -> Location:
    """The same service in another region. Only AWS's own endpoints have the region in their name."""
    endpoint = (
        location.endpoint.replace(f".{location.region}.", f".{region}.") if location.is_aws else location.endpoint
    )
    return Location(endpoint, region, location.is_aws)
