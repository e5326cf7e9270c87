"""The waist of s3d: everything that answers S3 requests is one callable, and a feature is one that wraps another."""

from __future__ import annotations

from typing import Protocol

from s3d.s3.message import S3Request, S3Response


class Backend(Protocol):
    """Answers one request.

    Errors: an S3 error is either a response with its status and XML body (how a remote says it) or a raised
    `s3d.s3.errors.S3Error` (how s3d says it); both mean the same to the caller. ``asyncio.CancelledError`` abandons the
    request. Anything else is a defect.
    """

    async def __call__(self, request: S3Request) -> S3Response: ...
