"""What the cache answers, and what goes past it, and why. Pure functions.

Sources: "GetObject" and "HeadObject" in the Amazon S3 API Reference; RFC 9111 section 5.2.2 (Cache-Control of answers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDict

from s3d.s3 import codec
from s3d.s3.message import S3Request
from s3d.standalone.ranges import edges

READS = ("GetObject", "HeadObject")

_QUERY = frozenset({"x-id", "versionId"}) | {
    f"response-{name}"
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
}
_REASONS = {
    "x-amz-expected-bucket-owner": "owner",
    "x-amz-request-payer": "payer",
    "origin": "origin",
}
_CUSTOMER_KEY = "x-amz-server-side-encryption-customer-"
_UNDERSTOOD = frozenset({"x-amz-checksum-mode", "x-amz-user-agent"})
_SAY_NOTHING = frozenset(
    {
        "accept",
        "accept-encoding",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "range",
        "user-agent",
        "x-amz-checksum-mode",
        "x-amz-user-agent",
    }
)
"""What SDKs send with every read. A request that has nothing else wants the object, or a part of it, as it is."""
_CONDITIONS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
_PRIVATE = ("no-store", "private")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a GetObject or HeadObject asks for, as far as the cache answers it."""

    members: dict[str, Any]
    range: str | None
    version: str | None
    may_be_whole: bool
    """The answer may be the whole object: there is no range, or one that does not count in the end."""
    is_head: bool
    with_checksums: bool
    conditional: bool


def wanted(request: S3Request) -> Wanted | str:
    """What is asked for, or the reason why it goes past the cache. Raises S3Error for what is malformed."""
    headers = request.headers
    mode, where = headers.get("x-amz-checksum-mode"), headers.get("Range")
    if not request.query and mode in (None, "ENABLED") and _SAY_NOTHING.issuperset(map(str.lower, headers)):
        if where is None:
            return _PLAIN[request.operation, mode is not None]
        is_head = request.operation == "HeadObject"
        return Wanted({}, where, None, edges(where) is None, is_head, mode is not None, conditional=False)
    for name, _ in request.query:
        if name == "partNumber":
            return "part"
        if name not in _QUERY:
            return "unknown"
    for name in request.headers:
        lower = name.lower()
        if lower in _REASONS:
            return _REASONS[lower]
        if lower.startswith("x-amz-") and lower not in _UNDERSTOOD:
            return "customer-key" if lower.startswith(_CUSTOMER_KEY) else "unknown"
    members = codec.parse_request(request, b"")
    return Wanted(
        members,
        where,
        members.get("VersionId"),
        edges(where) is None or "If-Range" in headers,
        request.operation == "HeadObject",
        members.get("ChecksumMode") == "ENABLED",
        any(name in headers for name in _CONDITIONS),
    )


_PLAIN = {
    (operation, with_checksums): Wanted({}, None, None, True, operation == "HeadObject", with_checksums, False)
    for operation in READS
    for with_checksums in (False, True)
}


def unkept(headers: CIMultiDict[str], size: int | None, largest: int) -> str | None:
    """Why an object with these headers is not kept; None: it is."""
    etag = headers.get("ETag", "")
    if size is None or not etag or etag.startswith("W/"):  # a weak one is that of several bodies
        return "encoded"
    if size > largest:
        return "size"
    directives = [
        part.split("=")[0].strip().lower() for part in ",".join(headers.getall("Cache-Control", ())).split(",")
    ]
    if any(directive in _PRIVATE for directive in directives):
        return "no-store"
    if any(name.lower().startswith(_CUSTOMER_KEY) for name in headers):
        return "customer-key"
    return None
