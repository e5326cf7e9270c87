"""From the body as the client frames it to the body of the object: decoded, verified, and never handed on wrong.

    plain             Content-Length, or Transfer-Encoding: chunked
    aws-chunked       inside either of these; x-amz-decoded-content-length says how long the object is

A body streams to the Backend while it arrives. Three kinds are taken in whole first: small ones, because one write is
cheaper than two; those of unknown length, because S3 storage wants the length first; and those with a checksum in the
trailer, because the remote wants it in a header. What does not fit into memory goes to a temporary file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import BaseRequest, RequestPayloadError

from s3d.s3.aws_chunked import ContentSha256, Decoder, announced_trailers, content_sha256_kind
from s3d.s3.checksums import Expectation, declared
from s3d.s3.errors import S3Error
from s3d.s3.message import RequestBody, S3Request
from s3d.s3.routing import UNKNOWN
from s3d.s3.sigv4 import UNSIGNED_PAYLOAD
from s3d.server.digest import SMALL, Digest, check
from s3d.server.spool import spool

_IN_MEMORY = 1 << 18  # bytes
_LENGTH_DIGITS = 18  # of a decoded length; longer ones mean nothing and would only cost

# Their x-amz-checksum-* headers speak of the object, not of the body; of an unknown operation nothing is known.
_CHECKSUM_OF_OBJECT = frozenset(
    {"CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload", "UploadPartCopy", UNKNOWN}
)
_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_LENGTH_REQUIRED = frozenset({"PutObject", "UploadPart"})


@dataclass(frozen=True, slots=True)
class Framing:
    """How a body comes: ``length`` is that of the decoded body, None if only its end will tell."""

    length: int | None
    content: ContentSha256
    aws_chunked: bool
    trailers: frozenset[str]


class ReceivedBody:
    """A body that is still arriving. The last piece is held back until everything declared was found to hold."""

    replayable = False

    def __init__(self, source: AsyncIterator[bytes], length: int, expectations: Sequence[Expectation]) -> None:
        self._source = source
        self._expectations = expectations
        self.length = length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        digest = Digest(self._expectations)
        held = b""
        async for piece in self._source:
            await digest.update(piece)
            if held:
                yield held
            held = piece
        await digest.verify()
        if held:
            yield held


async def read_body(http: BaseRequest, request: S3Request, *, idle: float, spool_dir: Path | None) -> RequestBody:
    """The body of the request, whose head was read. Sets ``payload_sha256`` and, from a trailer, checksum headers.

    Errors: MissingContentLength, IncompleteBody, RequestTimeout, BadDigest, XAmzContentSHA256Mismatch, InvalidDigest,
    InvalidRequest, MalformedTrailerError; of a body that streams they come while it is iterated.
    """
    signed, request.payload_sha256 = request.payload_sha256, None  # as the query of a presigned URL had it
    if request.method in _BODILESS and not http.body_exists and "Expect" not in http.headers:
        # Nothing to verify; but a value that is none is an error here too.
        content_sha256_kind(http.headers.get("x-amz-content-sha256") or signed or UNSIGNED_PAYLOAD)
        return b""
    framing = read_framing(http, request.operation, signed)
    request.payload_sha256 = framing.content.sha256
    expectations = declared(
        request.headers,
        payload_sha256=framing.content.sha256,
        trailers=framing.trailers,
        body_checksums=request.operation not in _CHECKSUM_OF_OBJECT,
    )
    decoder = Decoder(framing.length or 0, framing.content.signed, framing.trailers) if framing.aws_chunked else None
    if decoder is None and framing.length is not None and (arrived := _arrived(http, framing.length)) is not None:
        check(arrived, expectations)
        return arrived
    # Also an empty body that was announced gets its 100 Continue: botocore (issue 3755) takes a final answer in its place
    # for the next one on that connection too.
    source = received(http, idle) if framing.length != 0 or decoder or "Expect" in http.headers else _nothing()
    if decoder is not None:
        source = _decoded(source, decoder, expectations)
    body = ReceivedBody(source, framing.length or 0, expectations)
    if framing.length is not None and framing.length <= _IN_MEMORY:
        whole: RequestBody = b"".join([piece async for piece in body])
    elif framing.length is None or framing.trailers:
        whole = await spool(body, spool_dir, in_memory=_IN_MEMORY)
    else:
        return body
    if decoder is not None:
        request.headers.extend(decoder.trailers)
    return whole


def read_framing(http: BaseRequest, operation: str, signed_sha256: str | None = None) -> Framing:
    """What the head says about the body's form; ``signed_sha256`` is what a presigned URL says in its query. Raises
    MissingContentLength, InvalidArgument."""
    headers = http.headers
    value = headers.get("x-amz-content-sha256") or signed_sha256
    content = content_sha256_kind(value) if value else ContentSha256()
    chunked = "Transfer-Encoding" in headers
    decoded = headers.get("x-amz-decoded-content-length")
    codings = ",".join(headers.getall("Content-Encoding", ())).lower()
    coded = "aws-chunked" in codings and decoded is not None and content.sha256 is None
    if content.streaming or coded:
        if decoded is None or not (decoded.isascii() and decoded.isdigit() and len(decoded) <= _LENGTH_DIGITS):
            raise S3Error("MissingContentLength", "An aws-chunked body needs an x-amz-decoded-content-length.")
        return Framing(int(decoded), content, True, announced_trailers(headers.get("x-amz-trailer", "")))
    if chunked:
        return Framing(None, content, False, frozenset())
    length = http.content_length
    if length is None and operation in _LENGTH_REQUIRED:
        raise S3Error("MissingContentLength")
    return Framing(length or 0, content, False, frozenset())


def _arrived(http: BaseRequest, length: int) -> bytes | None:
    """A small plain body that came whole with its head, or that is empty."""
    content = http.content
    if length > SMALL or not content.is_eof() or content.exception() is not None or "Expect" in http.headers:
        return None
    return content.read_nowait()


async def _nothing() -> AsyncIterator[bytes]:
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece


async def received(http: BaseRequest, idle: float) -> AsyncIterator[bytes]:
    """The bytes as the HTTP framing delivers them."""
    expects = http.headers.get("Expect", "").lower() == "100-continue" and http.version >= (1, 1)
    if expects and http.transport is not None:
        http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    content = http.content
    while True:
        try:
            async with asyncio.timeout(idle):
                piece = await content.readany()
        except TimeoutError as error:
            raise S3Error("RequestTimeout") from error
        except (OSError, RequestPayloadError, HttpProcessingError) as error:
            raise S3Error("IncompleteBody", "The request body terminated unexpectedly") from error
        if not piece:
            return
        yield piece


async def _decoded(
    source: AsyncIterator[bytes], decoder: Decoder, expectations: Sequence[Expectation]
) -> AsyncIterator[bytes]:
    """The payload inside aws-chunked, and the trailer's values for the expectations."""
    async for data in source:
        for piece in decoder.feed(data):
            yield bytes(piece)
    decoder.finish()
    for expectation in expectations:
        if expectation.trailer is not None:
            expectation.declare(decoder.trailers[expectation.trailer])
