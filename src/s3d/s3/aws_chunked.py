r"""The ``aws-chunked`` transfer form of request bodies, decoded piece by piece as they arrive.

    body    = *( size "\r\n" data "\r\n" ) last [ trailers ] "\r\n"
    size    = hex-digits [ ";chunk-signature=" signature ]      each chunk
    last    = "0" [ ";chunk-signature=" signature ] "\r\n"
    trailers = 1*( name ":" value "\r\n" ) [ "x-amz-trailer-signature:" signature "\r\n" ]

Sources: "Signature calculations for the Authorization header: transferring payload in multiple chunks" and the page
after it, "... including trailing headers", in the S3 API Reference. Accepted too: lines of the trailer that end with a
bare "\n" and an empty line in front of the trailer's signature (minio-go, signed), one more empty line at the end
(minio-go, unsigned), and no empty line at the end (harmless: payload and trailers are there).

Signatures are checked for their form only: they are made with the client's secret, which is not known here. S3's rule
that all chunks but the last have at least 8 KiB is not enforced: it costs nothing to accept smaller ones, and other
servers do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar

from s3d.s3.errors import S3Error
from s3d.s3.sigv4 import EMPTY_SHA256

MAX_SIZE_LINE = 1024
"""Bytes of a line that opens a chunk; the longest that a known sender writes has about 180 (ECDSA)."""

MAX_TRAILERS = 16 * 1024
"""Bytes of the whole trailer section; what AWS's front ends accept as headers."""

# 64 digits of HMAC-SHA256, or the DER form of an ECDSA P-256 signature in hex, padded with "*" to a fixed length.
_SIGNATURE = rb"[0-9A-Fa-f]{64,144}\*{0,144}"
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;([\t\x20-\x7e\x80-\xff]*))?")
_CHUNK_SIGNATURE = re.compile(rb"chunk-signature=" + _SIGNATURE)
_TRAILER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


class _State(Enum):
    SIZE = auto()  # in the line that opens a chunk
    DATA = auto()  # in the data of a chunk
    DATA_END = auto()  # in the CRLF behind the data
    TRAILERS = auto()  # behind the last chunk, up to and with the empty line
    END = auto()  # all is there; one more empty line is let pass
    FAILED = auto()  # an error was raised


class Decoder:
    """Decodes one body.

    ``decoded_length``: bytes of the payload, from ``x-amz-decoded-content-length``. ``signed``: chunks must carry
    signatures. ``trailers``: lower-case names announced in ``x-amz-trailer``; exactly these must come.

    `feed` and `finish` raise S3Error: IncompleteBody (framing broken, ended early, not ``decoded_length`` bytes),
    SignatureDoesNotMatch (no well-formed signature on a chunk), MalformedTrailerError.
    """

    def __init__(self, decoded_length: int, signed: bool, trailers: frozenset[str] = frozenset()) -> None:
        self.trailers: dict[str, str] = {}
        """What came behind the payload, by lower-case name, without the signature."""
        self._expected_length = decoded_length
        self._signed = signed
        self._announced = trailers
        self._trailer_signed = False
        self._state = _State.SIZE
        self._line = bytearray()  # the begin of a line that has not wholly arrived
        self._chunk_left = 0
        self._received = 0
        self._trailer_bytes = 0
        self._after_end = b""
        self._pieces: list[bytes | memoryview] = []

    @property
    def complete(self) -> bool:
        """Whether all of the body has arrived, trailers included."""
        return self._state is _State.END

    def feed(self, data: bytes) -> list[bytes | memoryview]:
        """The payload in the next bytes, in order, as slices of ``data``."""
        self._pieces = []
        position = 0
        try:
            while position < len(data):
                position = self._STEPS[self._state](self, data, position)
        except S3Error:
            self._state = _State.FAILED
            raise
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> None:
        """To be called when the sender has ended. Raises IncompleteBody or MalformedTrailerError if it did so early."""
        if self._state is _State.TRAILERS and bytes(self._line) in (b"", b"\r"):
            self._end()
        if self._state is not _State.END:
            raise _broken()

    # One step a state: takes what it can from ``data`` at ``position`` and returns the position behind that.

    def _size(self, data: bytes, position: int) -> int:
        line, position = self._take_line(data, position, MAX_SIZE_LINE)
        if line is None:
            return position
        if not line.endswith(b"\r") or not (match := _SIZE_LINE.fullmatch(line, 0, len(line) - 1)):
            raise _broken()
        if self._signed and not _CHUNK_SIGNATURE.fullmatch(match[2] or b""):
            raise S3Error("SignatureDoesNotMatch")
        size = int(match[1], 16)
        if self._received + size > self._expected_length or (size == 0 and self._received < self._expected_length):
            raise self._wrong_length(self._received + size)
        self._chunk_left = size
        self._state = _State.DATA if size else _State.TRAILERS
        return position

    def _data(self, data: bytes, position: int) -> int:
        end = min(position + self._chunk_left, len(data))
        self._pieces.append(data if end - position == len(data) else memoryview(data)[position:end])
        self._received += end - position
        self._chunk_left -= end - position
        if not self._chunk_left:
            self._state = _State.DATA_END
        return end

    def _data_end(self, data: bytes, position: int) -> int:
        line, position = self._take_line(data, position, 2)
        if line is None:
            return position
        if line != b"\r":
            raise _broken()
        self._state = _State.SIZE
        return position

    def _trailers(self, data: bytes, position: int) -> int:
        start = position
        line, position = self._take_line(data, position, MAX_TRAILERS)
        self._trailer_bytes += position - start
        if self._trailer_bytes > MAX_TRAILERS:
            raise S3Error("MalformedTrailerError")
        if line is None:
            return position
        line = line.removesuffix(b"\r")
        if line:
            self._trailer(line)
        elif self._trailer_signed or not self._signature_due():
            self._end()
        return position

    def _end_of_body(self, data: bytes, position: int) -> int:
        self._after_end += data[position : position + 3]
        if not b"\r\n".startswith(self._after_end):
            raise S3Error("MalformedTrailerError")
        return len(data)

    def _failed(self, _data: bytes, _position: int) -> int:
        raise _broken()

    _STEPS: ClassVar[dict[_State, Callable[[Decoder, bytes, int], int]]] = {
        _State.SIZE: _size,
        _State.DATA: _data,
        _State.DATA_END: _data_end,
        _State.TRAILERS: _trailers,
        _State.END: _end_of_body,
        _State.FAILED: _failed,
    }

    def _take_line(self, data: bytes, position: int, limit: int) -> tuple[bytes | None, int]:
        r"""The next line without its "\n" if all of it has arrived, and the position behind what was taken. ``limit``
        is the most that a line may have, its end included."""
        end = data.find(b"\n", position, position + limit - len(self._line))
        if end < 0:
            self._line += data[position : position + limit]
            if len(self._line) >= limit:
                raise S3Error("MalformedTrailerError") if self._state is _State.TRAILERS else _broken()
            return None, len(data)
        line = bytes(self._line) + data[position:end]
        self._line.clear()
        return line, end + 1

    def _trailer(self, line: bytes) -> None:
        match = _TRAILER.fullmatch(line)
        if match is None or self._trailer_signed:
            raise S3Error("MalformedTrailerError")
        name, value = match[1].decode().lower(), match[2].decode("utf-8", "surrogateescape")
        if name == _TRAILER_SIGNATURE and self._signed:
            if not re.fullmatch(_SIGNATURE, match[2]):
                raise S3Error("SignatureDoesNotMatch")
            self._trailer_signed = True
        elif name not in self._announced or name in self.trailers:
            raise S3Error("MalformedTrailerError")
        else:
            self.trailers[name] = value

    def _signature_due(self) -> bool:
        return self._signed and bool(self._announced)

    def _end(self) -> None:
        if self.trailers.keys() != self._announced or (self._signature_due() and not self._trailer_signed):
            self._state = _State.FAILED
            raise S3Error("MalformedTrailerError")
        self._state = _State.END

    def _wrong_length(self, provided: int) -> S3Error:
        elements = {"NumberBytesExpected": str(self._expected_length), "NumberBytesProvided": str(provided)}
        message = "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header."
        return S3Error("IncompleteBody", message, elements=elements)


def _broken() -> S3Error:
    return S3Error("IncompleteBody", "The request body terminated unexpectedly")


@dataclass(frozen=True, slots=True)
class ContentSha256:
    """What ``x-amz-content-sha256`` says about the body."""

    sha256: str | None = None
    """64 lower-case hex digits, if it is a digest; then the rest is False."""
    streaming: bool = False
    """The body is aws-chunked."""
    signed: bool = False
    """... and its chunks are signed."""
    trailer: bool = False
    """... and it may have trailers."""


_KINDS = {
    "UNSIGNED-PAYLOAD": ContentSha256(),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": ContentSha256(streaming=True, trailer=True),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": ContentSha256(streaming=True, signed=True),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": ContentSha256(streaming=True, signed=True, trailer=True),
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD": ContentSha256(streaming=True, signed=True),
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER": ContentSha256(streaming=True, signed=True, trailer=True),
}
_HEX_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_READ = {**_KINDS, EMPTY_SHA256: ContentSha256(EMPTY_SHA256)}
"""The values that come again and again; that of no bytes is in every request without a body."""


def content_sha256_kind(value: str) -> ContentSha256:
    """Reads a value of ``x-amz-content-sha256``. Raises InvalidArgument if it is none of those that S3 knows."""
    if kind := _READ.get(value):
        return kind
    if _HEX_SHA256.fullmatch(value):
        return ContentSha256(value.lower())
    message = f"x-amz-content-sha256 must be {', '.join(_KINDS)} or a valid sha256 value."
    elements = {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": value}
    raise S3Error("InvalidArgument", message, elements=elements)


def announced_trailers(value: str) -> frozenset[str]:
    """The lower-case names in a value of ``x-amz-trailer``: a list separated by commas."""
    return frozenset(name.strip().lower() for name in value.split(",") if name.strip())


def without_aws_chunked(content_encoding: str) -> str | None:
    """A Content-Encoding without ``aws-chunked``: the encoding of the object itself, or None if it has none."""
    codings = content_encoding.split(",")
    kept = [coding for coding in codings if coding.strip().lower() != "aws-chunked"]
    return content_encoding if kept == codings else ",".join(kept).strip() or None
