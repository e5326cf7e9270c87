"""Cross-origin resource sharing: the rules of a bucket, and what they mean for a browser."""

from __future__ import annotations

from s3d.s3.message import S3Response
from s3d.standalone.store import Call, Store


def allows(store: Store, bucket: str | None, origin: str, method: str) -> bool:
    """Whether the rules of the bucket let a page of that origin send such a request."""
    return False


def add_headers(store: Store, call: Call, response: S3Response) -> None:
    """Adds what lets the page read the answer."""
