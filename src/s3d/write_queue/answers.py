"""Answers of the remote, and of the queue's store, as the queue needs them."""

from __future__ import annotations

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response

STATE = "x-s3d-state"
WHY = "x-s3d-why"
"""A request with it asks for the reason, an answer has it."""
STALE = "x-s3d-stale"
"""On answers from what was last known, while the remote is away."""

_OF_VERSIONS = ("x-amz-version-id", "x-amz-delete-marker", "x-amz-copy-source-version-id")


def pending(response: S3Response, request_id: str, state: str = "pending") -> S3Response:
    """An answer of the queue's store as the client may see it: versions are the remote's to give."""
    for name in _OF_VERSIONS:
        response.headers.pop(name, None)
    response.headers[STATE] = state
    response.headers["x-amz-request-id"] = request_id
    response.headers["Server"] = "s3d"
    return response


def without_versions(error: S3Error) -> S3Error:
    """The same for an error."""
    headers = {name: value for name, value in error.headers.items() if name.lower() not in _OF_VERSIONS}
    return S3Error(error.code, error.message, elements=error.elements, headers=headers)
