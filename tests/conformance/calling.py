"""Speaks to a Backend in members: `call` builds the request and reads the answer with the codec, so every test
exercises it in both directions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import pytest

from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error, error_response
from s3d.s3.message import FileRange, S3Request, S3Response
from s3d.s3.model import OPERATIONS

Members = dict[str, Any]
LARGE = 1 << 16  # bytes of a body that goes as a stream, as all but small ones do


class Pieces:
    """A body that comes in pieces, and may come again."""

    replayable = True

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def length(self) -> int:
        return len(self._data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), LARGE):
            yield self._data[start : start + LARGE]


class Refused(Exception):
    """The backend answered with an S3 error (or with 304). ``code`` of a HEAD comes from the status."""

    def __init__(self, error: codec.RemoteError, response: S3Response) -> None:
        super().__init__(f"{error.status} {error.code}: {error.message}")
        self.status, self.code, self.elements = error.status, error.code, error.elements
        self.headers = response.headers


async def call(backend: Backend, operation: str, members: Members | None = None, body: bytes | None = None) -> Members:
    """The output members, and as ``Body`` the bytes of a streamed body. Raises Refused."""
    request = codec.build_request(operation, members or {})
    if body is not None:
        request.body = Pieces(body) if len(body) > LARGE else body
    return (await answer(backend, request))[1]


async def answer(backend: Backend, request: S3Request) -> tuple[S3Response, Members]:
    """The answer as it came, and its members."""
    response = await respond(backend, request)
    data = await body_of(response)
    if response.status >= 300 or codec.is_error(data):
        raise Refused(codec.parse_error(response, data), response)
    streams = any(member.location == "stream" for member in OPERATIONS[request.operation].output)
    members = codec.parse_response(request.operation, response, b"" if streams else data)
    return response, members | ({"Body": data} if streams else {})


async def respond(backend: Backend, request: S3Request) -> S3Response:
    """The answer; an error that the backend raises becomes one, as s3d's server makes it."""
    try:
        return await backend(request)
    except RemoteUnreachable:
        raise
    except S3Error as error:
        head = request.method == "HEAD"
        return error_response(error, resource=f"/{request.bucket or ''}", request_id=request.request_id, head=head)


async def body_of(response: S3Response) -> bytes:
    """All bytes of a body; connection and files are free again afterwards."""
    body = response.body
    if not isinstance(body, AsyncGenerator):
        return _bytes(body)
    try:
        return b"".join([_bytes(piece) async for piece in body])
    finally:
        await body.aclose()


def _bytes(piece: bytes | memoryview | FileRange) -> bytes:
    """What is read of a file is closed, as by the server."""
    if not isinstance(piece, FileRange):
        return bytes(piece)
    with piece.file:
        data = os.pread(piece.file.fileno(), piece.length, piece.offset)
    assert len(data) == piece.length, "the file is shorter than the range"
    return data


@contextlib.contextmanager
def refused(
    status: int, *codes: str, elements: dict[str, str] | None = None
) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """Expects an S3 error with this status, one of these codes and these elements among others."""
    with pytest.raises(Refused) as refusal:
        yield refusal
    found = refusal.value
    assert found.status == status, f"refused otherwise: {found}"
    assert found.code in codes, f"refused otherwise: {found}"
    wanted = elements or {}
    assert {name: found.elements.get(name) for name in wanted} == wanted, f"refused otherwise: {found.elements}"
