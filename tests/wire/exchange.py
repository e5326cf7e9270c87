"""One golden exchange, and what several have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wire.rig import DATE, ok

from s3d.s3.message import S3Response

DATE_LINE = f"Date: {DATE}\r\n"
OK = f"HTTP/1.1 200 OK\r\n{DATE_LINE}Content-Length: 0\r\n\r\n".encode()
OK_CLOSE = f"HTTP/1.1 200 OK\r\n{DATE_LINE}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
HELLO = b"hello world"
HELLO_SHA256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
SIGNATURE = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
CREDENTIAL = "AKIDEXAMPLE/20260101/us-east-1/s3/aws4_request"
V4 = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host;x-amz-date, Signature={SIGNATURE}"
V4_LINES = (f"Authorization: {V4}", "x-amz-date: 20260101T000000Z")
PRESIGNED_V4 = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date={date}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=" + SIGNATURE
)
FAR = "99991231T000000Z"


@dataclass(frozen=True)
class Exchange:
    """``request`` bytes; what the Backend is to receive; what it answers, and the bytes that this becomes."""

    name: str
    request: bytes
    operation: str
    bucket: str | None = None
    key: str | None = None
    method: str = "GET"
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    payload_sha256: str | None = None
    gives: Callable[[], S3Response] = ok
    wire: bytes = OK
    interim: bytes = b""
    """What comes before the answer, once."""
    closes: bool = False
