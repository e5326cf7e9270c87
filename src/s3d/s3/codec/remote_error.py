"""Errors as a remote answers them."""

from __future__ import annotations

from dataclasses import dataclass, field

from s3d.s3.codec import xml_read
from s3d.s3.message import S3Response

_CODES = {
    301: "PermanentRedirect",
    304: "NotModified",
    307: "TemporaryRedirect",
    400: "BadRequest",
    403: "AccessDenied",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    411: "MissingContentLength",
    412: "PreconditionFailed",
    416: "InvalidRange",
    429: "TooManyRequests",
    500: "InternalError",
    501: "NotImplemented",
    503: "ServiceUnavailable",
}
"""Of answers without a body (HEAD, 304) and of those that are not S3's (a proxy's page)."""


@dataclass(frozen=True, slots=True)
class RemoteError:
    """What a remote refused with. ``elements`` are the other elements of the XML body, in order."""

    code: str
    message: str
    status: int
    elements: dict[str, str] = field(default_factory=dict)


def is_error(body: bytes) -> bool:
    """Whether a body is an error document. CopyObject, UploadPartCopy and CompleteMultipartUpload may answer 200 and
    then fail (S3 API Reference: the status is sent before the work is done)."""
    if b"Error" not in body:
        return False
    try:
        return xml_read.local_name(xml_read.parse_answer(body).tag) == "Error"
    except ValueError:
        return False


def parse_error(response: S3Response, body: bytes) -> RemoteError:
    """The error in an answer; never raises. Without an S3 error document the code is derived from the status, and the
    message is the beginning of the body."""
    code = _CODES.get(response.status, f"{response.status}")
    try:
        root = xml_read.parse_answer(body) if body else None
    except ValueError:
        root = None
    if root is None or xml_read.local_name(root.tag) != "Error":
        return RemoteError(code, body[:200].decode("utf-8", "replace") or response.reason or "", response.status)
    elements = {xml_read.local_name(child.tag): child.text or "" for child in root}
    code, message = elements.pop("Code", code), elements.pop("Message", "")
    return RemoteError(code, message, response.status, elements)
