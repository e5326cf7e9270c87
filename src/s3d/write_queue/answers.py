"""Answers of the remote, and of the queue's store, as the queue needs them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from s3d.s3.errors import S3Error
from s3d.s3.message import FileRange, S3Response

STATE = "x-s3d-state"
STALE = "x-s3d-stale"
"""On answers from what was last known, while the remote is away."""

_LIMIT = 16 << 20  # bytes of an XML answer
_OF_VERSIONS = ("x-amz-version-id", "x-amz-delete-marker", "x-amz-copy-source-version-id")


async def read_whole(response: S3Response) -> S3Response:
    """The answer with its body in memory. Raises S3Error for one that breaks off, or does not end."""
    body = response.body
    if isinstance(body, bytes):
        return response
    if isinstance(body, FileRange):
        with body.file:
            body.file.seek(body.offset)
            response.body = body.file.read(body.length)
        return response
    response.body = await _join(body)
    return response


async def _join(body: AsyncGenerator[bytes | memoryview | FileRange, None]) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in body:
            if isinstance(piece, FileRange):  # only documents come here, and those are in memory
                piece.file.close()
                raise S3Error("InternalError", "an answer that is a file")
            pieces.append(bytes(piece))
            size += len(piece)
            if size > _LIMIT:
                raise S3Error("InternalError", "The remote's answer is too long.")
    finally:
        await body.aclose()
    return b"".join(pieces)


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
