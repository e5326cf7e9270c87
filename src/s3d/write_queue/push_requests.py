"""The requests of pushes, and what their answers confirm."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from multidict import CIMultiDict

from s3d.filters.decide import kept_before
from s3d.s3 import codec
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.version import Version, key_text
from s3d.write_queue.operation import Operation, Pushed


def request_of(operation: Operation, name: str, headers: CIMultiDict[str] | None = None) -> S3Request:
    """A request about the key of an operation."""
    request = codec.build_request(name, {"Bucket": operation.bucket, "Key": key_text(operation.key)})
    if headers is not None:
        request.headers.extend(headers)
    request.once = True
    request.said = kept_before(operation.said)
    return request


def headers_of(operation: Operation, version: Version) -> CIMultiDict[str]:
    """The client's headers, and the tags as they are now."""
    headers = CIMultiDict(operation.header_list())
    if version.tags is not None:
        headers["x-amz-tagging"] = urlencode(version.tag_set(), quote_via=quote, safe="")
    return headers


def pushed(response: S3Response) -> Pushed:
    """What an answer confirms."""
    checksum = next(
        (f"{name[15:].upper()}:{value}" for name, value in response.headers.items() if _is_checksum(name)), None
    )
    etag = response.headers.get("ETag")
    version_id = response.headers.get("x-amz-version-id")
    return Pushed(version_id, etag.strip('"').lower() if etag else None, checksum)


def has_checksum(response: S3Response, stored: str | None) -> bool:
    """Whether the answer has the same checksum as the object here (ALGORITHM:BASE64)."""
    if stored is None:
        return False
    algorithm, _, value = stored.partition(":")
    return response.headers.get(f"x-amz-checksum-{algorithm.lower()}") == value


def shows_checksum(response: S3Response) -> bool:
    """Whether the answer has a checksum at all."""
    return any(_is_checksum(name) for name in response.headers)


def _is_checksum(name: str) -> bool:
    lower = name.lower()
    return lower.startswith("x-amz-checksum-") and lower != "x-amz-checksum-type"
