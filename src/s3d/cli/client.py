"""S3 operations by name over a Backend: `call` takes and gives members as the S3 API Reference names them.

What may be repeated is repeated: no answer, a broken connection, 500, 502, 503 and 504. The first request of all is the
exception: when nothing listens there, waiting does not help the person who forgot to start the daemon.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict

from s3d.cli.errors import S3Failure, Unreachable
from s3d.remote.backend import Remote
from s3d.remote.config import RemoteConfig
from s3d.remote.credentials import ANONYMOUS
from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import FileRange, RequestBody, S3Response

PAUSES = (0.3, 1.0, 3.0)
"""Seconds before each further attempt: long enough for a daemon that is being restarted."""

TRANSIENT = frozenset({500, 502, 503, 504})

_EMPTY_ANSWERS = {
    400: ("BadRequest", "The request is not valid."),
    403: ("AccessDenied", "Access Denied"),
    404: ("NotFound", "There is no such bucket or key."),
    412: ("PreconditionFailed", "The object is not in the state that the request asks for."),
}
"""What an error without a body means: HEAD has none to carry code and message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its members, and the headers for what the S3 model does not name."""

    members: dict[str, Any]
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: AsyncIterator[bytes] | None = None
    """Only from `Client.open`."""


class Client:
    """Speaks S3 through `backend`; `endpoint` is only for messages."""

    def __init__(self, backend: Backend, endpoint: str, pauses: tuple[float, ...] = PAUSES) -> None:
        self._backend = backend
        self._endpoint = endpoint
        self._pauses = pauses
        self._reached = False

    async def call(self, operation: str, members: Mapping[str, Any], body: RequestBody | None = None) -> dict[str, Any]:
        """The members of the answer. Raises S3Failure for an S3 error and Unreachable for none."""
        return (await self.ask(operation, members, body)).members

    async def ask(self, operation: str, members: Mapping[str, Any], body: RequestBody | None = None) -> Answer:
        """Like `call`, with the headers of the answer."""
        response, data = await self._send(operation, members, body, whole=True)
        return Answer(self._parsed(operation, members, response, data), response.headers)

    @asynccontextmanager
    async def open(self, operation: str, members: Mapping[str, Any]) -> AsyncIterator[Answer]:
        """Like `ask`, with the body of the answer as a stream, which is closed at the end of the block. Iterating raises
        `s3d.s3.errors.RemoteUnreachable` when it breaks off."""
        response, data = await self._send(operation, members, None, whole=False)
        async with aclosing(_stream(response)) as stream:
            yield Answer(self._parsed(operation, members, response, data), response.headers, stream)

    async def _send(
        self, operation: str, members: Mapping[str, Any], body: RequestBody | None, *, whole: bool
    ) -> tuple[S3Response, bytes]:
        """The answer and its body; ``whole`` is False: the body of a successful one is left to be streamed."""
        for pause in (*self._pauses, None):
            try:
                response = await self._attempt(operation, members, body)
                self._reached = True
                data = await _read(response) if whole or response.status >= 300 else b""
            except S3Error as error:
                if pause is None or not self._reached or not isinstance(error, RemoteUnreachable):
                    raise self._failure(error, members) from error
            else:
                if pause is None or response.status not in TRANSIENT:
                    return response, data
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, operation: str, members: Mapping[str, Any], body: RequestBody | None) -> S3Response:
        request = codec.build_request(operation, dict(members))
        if body is not None:
            request.body = body
        return await self._backend(request)

    def _failure(self, error: S3Error, members: Mapping[str, Any]) -> S3Failure | Unreachable:
        if isinstance(error, RemoteUnreachable):
            return Unreachable(self._endpoint, _reason(error))
        return S3Failure(error.code, error.message, status=error.status, resource=_resource(members))

    def _parsed(self, operation: str, members: Mapping[str, Any], response: S3Response, body: bytes) -> dict[str, Any]:
        """The members of a success. Raises S3Failure for an error; some of them come with status 200."""
        if response.status < 300 and not codec.is_error(body):
            try:
                return codec.parse_response(operation, response, body)
            except S3Error as error:  # not S3 at all
                raise self._failure(error, members) from error
        if not body and response.status in _EMPTY_ANSWERS:
            code, message = _EMPTY_ANSWERS[response.status]
        else:
            refusal = codec.parse_error(response, body)
            code, message = refusal.code, refusal.message
        request_id = response.headers.get("x-amz-request-id", "")
        raise S3Failure(code, message, status=response.status, request_id=request_id, resource=_resource(members))


@asynccontextmanager
async def connect(endpoint: str) -> AsyncIterator[Client]:
    """A client of the daemon at `endpoint`, which accepts unsigned requests on loopback."""
    logging.getLogger("s3d").addHandler(logging.NullHandler())  # what goes wrong is told as an error, once
    config = RemoteConfig(endpoint=endpoint, addressing="path", keep_s3d_headers=True)
    async with Remote(config, ANONYMOUS) as remote:
        yield Client(remote, endpoint)


def _reason(error: RemoteUnreachable) -> str:
    """The system's own words where there are some: ``Connection refused``."""
    number = getattr(error.__cause__, "errno", None) or 0
    words = (
        os.strerror(number) if number > 0 else getattr(error.__cause__, "strerror", None)
    )  # below 0: of the resolver
    return str(words or error.message).rstrip(".")


def _resource(members: Mapping[str, Any]) -> str:
    return "/".join(str(members[name]) for name in ("Bucket", "Key") if members.get(name))


async def _read(response: S3Response) -> bytes:
    """The whole body of an answer that is known to be small: XML or nothing."""
    async with aclosing(_stream(response)) as stream:
        return b"".join([piece async for piece in stream])


async def _stream(response: S3Response) -> AsyncGenerator[bytes, None]:
    """The body as pieces, whatever it is."""
    body = response.body
    if isinstance(body, bytes):
        if body:
            yield body
        return
    assert not isinstance(body, FileRange)  # noqa: S101  a remote has no files
    async with aclosing(body):
        async for piece in body:
            assert not isinstance(piece, FileRange)  # noqa: S101
            yield bytes(piece)
