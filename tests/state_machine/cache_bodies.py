"""Bodies of the read cache's machine: made so that every piece tells whose it is, and read piece by piece."""

from __future__ import annotations

import os
from array import array
from collections.abc import AsyncGenerator

from conformance.calling import LARGE, Pieces

from s3d.s3.message import FileRange, ResponseBody, S3Response


def body_of(number: int, size: int) -> bytes:
    """Such that each piece of eight bytes says whose it is, and where."""
    units = array("Q", range(number << 40, (number << 40) + -(-size // 8)))
    return units.tobytes()[:size]


def in_pieces(body: bytes) -> bytes | Pieces:
    return Pieces(body) if len(body) > LARGE else body


async def pieces_of(body: ResponseBody) -> AsyncGenerator[bytes, None]:
    """Each is read when it is asked for, as a server sends it."""
    if isinstance(body, FileRange):
        with body.file:
            for start in range(0, body.length, LARGE):
                yield os.pread(body.file.fileno(), min(LARGE, body.length - start), body.offset + start)
    elif isinstance(body, bytes):
        yield body
    else:
        try:
            async for piece in body:
                async for part in pieces_of(bytes(piece) if isinstance(piece, memoryview) else piece):
                    yield part
        finally:
            await body.aclose()


async def close(response: S3Response) -> None:
    """Also if nobody has begun to read it."""
    if isinstance(response.body, FileRange):
        response.body.file.close()
    elif not isinstance(response.body, bytes):
        await response.body.aclose()
