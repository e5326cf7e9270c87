"""Documents: answers that are short enough to be in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from s3d.s3.errors import S3Error
from s3d.s3.message import FileRange, S3Response

_LIMIT = 16 << 20  # bytes of an XML answer


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
