"""Which bucket and key a request names: path-style (``/bucket/key``) and virtual-host (``bucket.localhost``).

Source: "Virtual hosting of general purpose buckets" in the Amazon S3 User Guide. The request target is taken as it
arrived: no dot segments are removed and no slashes merged, because keys are opaque bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from s3d.s3.errors import S3Error
from s3d.s3.uri import parse_query, unquote

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ABSOLUTE_FORM = re.compile(r"https?://([^/?]*)", re.IGNORECASE)  # RFC 9112 section 3.2.2
_DNS_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


class Target(NamedTuple):
    """What a request line and its Host name: bucket and key (None when absent), and the decoded query in order."""

    bucket: str | None
    key: str | None
    query: list[tuple[str, str]]
    host: str
    """The host that it was sent to: that of an absolute-form target (RFC 9112 section 3.2.2), else the Host field."""


def parse_target(target: str, host: str, domains: tuple[str, ...]) -> Target:
    """Reads a request target with the Host it came with. ``domains`` are the base domains of virtual-host addressing.

    Errors: InvalidURI for a target that is not a path, or with a broken percent escape; InvalidBucketName for an empty
    one in front of a key.
    """
    if not target.startswith("/"):
        target, host = _origin_form(target, host)
    path, _, query = target.partition("?")
    if "%" in target and _BROKEN_ESCAPE.search(target):
        raise S3Error("InvalidURI", "The URI has a '%' that is not followed by two hexadecimal digits.")
    bucket = virtual_host_bucket(host, domains)
    if bucket is not None:
        return Target(bucket, unquote(path[1:]) or None, parse_query(query), host)
    name, slash, key = path[1:].partition("/")
    if slash and not name:
        raise S3Error("InvalidBucketName", "The path begins with two slashes: the name of the bucket is empty.")
    return Target(unquote(name) or None, unquote(key) or None, parse_query(query), host)


def _origin_form(target: str, host: str) -> tuple[str, str]:
    """Path and host of an absolute-form target, or of the asterisk form of OPTIONS."""
    if target == "*":
        return "/", host
    absolute = _ABSOLUTE_FORM.match(target)
    if absolute is None:
        raise S3Error("InvalidURI", "The request target must be a path that begins with '/'.")
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else "/" + rest, absolute[1]


@lru_cache(1024)
def host_name(host: str) -> str:
    """The name in a Host field: without the port, in lower case."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    return name.lower().rstrip(".")


@lru_cache(1024)
def virtual_host_bucket(host: str, domains: tuple[str, ...]) -> str | None:
    """The bucket in a Host header: what stands before the longest of the base domains, or None for path-style."""
    name = host_name(host)
    best = max((d for d in domains if name.endswith("." + d)), key=len, default=None)
    if best is None or name in domains:
        return None
    return name[: -len(best) - 1]


def is_dns_name(bucket: str) -> bool:
    """Whether a bucket can be a single DNS label (no dots, which TLS wildcard certificates do not cover)."""
    return _DNS_NAME.fullmatch(bucket) is not None
