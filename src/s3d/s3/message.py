"""Requests, responses and their bodies: what passes through the waist of s3d.

A *request* body is ``bytes`` (small) or a `Body` (a stream, or a file that can be sent again). A *response* body is
``bytes``, a `FileRange` (so that the server can use sendfile) or an async generator of buffers that stay as they are
(``bytes`` or ``memoryview``) and of `FileRange` (an object can be a chain of files). Memory use does not depend on the size
of an object: only ``bytes`` bodies are ever whole in one place.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from multidict import CIMultiDict

Headers = CIMultiDict
"""Header fields in the order of arrival; names compare without case. Values hold undecodable bytes as surrogates
(PEP 383), so that what came in can go out unchanged."""

Query = list[tuple[str, str]]
"""Decoded query parameters in the order of arrival, without those of a signature; ``?acl`` is ``("acl", "")``."""


class Body(Protocol):
    """A request body that is not in memory: iteration gives its ``length`` bytes in order, in pieces of any size.

    Iteration raises `s3d.s3.errors.S3Error` when the sender stops early or a declared length, digest or checksum does
    not hold, and then before the last piece was handed out: a receiver that insists on ``length`` bytes never takes a
    wrong body for a whole one.
    """

    @property
    def length(self) -> int:
        """Bytes."""

    @property
    def replayable(self) -> bool:
        """Whether iteration can start again from the first byte (a file), or happens once (a socket)."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class FileRange:
    """``length`` bytes of an open file from ``offset`` on, read by position. Whoever sends it closes it, also one that
    came out of a generator and is not sent after all."""

    file: BinaryIO
    offset: int
    length: int


RequestBody = bytes | Body
ResponseBody = bytes | FileRange | AsyncGenerator[bytes | memoryview | FileRange, None]


def body_length(body: RequestBody) -> int:
    """Bytes of a request body."""
    return len(body) if isinstance(body, bytes) else body.length


def is_replayable(body: RequestBody) -> bool:
    """Whether the body can be sent a second time."""
    return isinstance(body, bytes) or body.replayable


@dataclass(slots=True)
class S3Request:
    """One S3 request, without what belongs to the connection that it came on.

    ``headers`` holds neither hop-by-hop fields nor those of the client's signature, framing or transfer coding
    (``Host``, ``Authorization``, ``Content-Length``, ``x-amz-date``, ``aws-chunked``, ...): whoever sends the request
    on writes those anew. What is left is what the client said about the object.
    """

    method: str
    operation: str
    """S3's name of it, or `s3d.s3.routing.UNKNOWN` for one that the model does not know; forward that untouched."""
    bucket: str | None = None
    key: str | None = None
    """Decoded as UTF-8, other bytes as surrogates; `s3d.s3.uri.quote_path` gives back exactly the client's bytes."""
    query: Query = field(default_factory=list)
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: RequestBody = b""
    payload_sha256: str | None = None
    """Lower-case hex SHA-256 of the body as the client declared it, if it did."""
    request_id: str = ""
    once: bool = False
    """Not to be sent a second time, whatever becomes of the first: who made it looks first what that has done."""
    source_address: str = ""
    """Of the client, if there is one."""
    said: Any = None
    """What a policy said of it (`s3d.filters.decide.Said`); None: there is none, or it was not asked."""

    def parameter(self, name: str) -> str | None:
        """The first query parameter of that name, or None."""
        return next((value for key, value in self.query if key == name), None)


@dataclass(slots=True)
class S3Response:
    """One S3 answer. ``Content-Length`` is in ``headers`` when it is known; an answer to HEAD has it and an empty body.

    Whoever takes a response with an async generator must exhaust it or ``aclose()`` it: a connection hangs on it.
    """

    status: int
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: ResponseBody = b""
    reason: str | None = None
    """The reason phrase if it is not the standard one."""
