"""Digests and checksums: those that S3 knows, and those that a request declares for its body.

A request may declare several at once: ``Content-MD5``, ``x-amz-content-sha256`` (part of the signature), and one of the
``x-amz-checksum-*`` family, as a header or in the trailer of an aws-chunked body. Each becomes an `Expectation`: feed
the body to its hasher, then call ``verify``. Sources: "Checking object integrity in Amazon S3" in the User Guide,
RFC 1864 (Content-MD5); the wordings are those of S3's answers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from awscrt import checksums as crt
from multidict import CIMultiDict

from s3d.s3.errors import S3Error


class Hasher(Protocol):
    """What hashlib's objects are, as far as it is needed here."""

    def update(self, data: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A running CRC with hashlib's interface. The digest is big-endian, as S3 writes it."""

    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: Callable[[bytes | memoryview, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    """awscrt's XXHash with hashlib's interface."""

    __slots__ = ("_hash",)

    def __init__(self, new: Callable[[], crt.XXHash]) -> None:
        self._hash = new()

    def update(self, data: bytes | memoryview, /) -> None:
        self._hash.update(bytes(data))  # awscrt 0.38 takes nothing but bytes here; of bytes this is no copy

    def digest(self) -> bytes:
        digest: bytes = self._hash.finalize()
        return digest


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One checksum algorithm of S3."""

    name: str
    """As S3 writes it in ``x-amz-checksum-algorithm`` and in messages."""
    size: int
    """Bytes of a digest."""
    new: Callable[[], Hasher]
    cpu_bound: bool
    """Slow enough (0.7 to 1.8 GB/s; MD5 is the slowest) that large pieces belong into a worker thread. The others
    (CRC: 2 to 6 GB/s, XXHash: 5 to 37) cost less than the way to a thread does."""

    @property
    def header(self) -> str:
        """The field that carries a value of it, in lower case."""
        return f"x-amz-checksum-{self.name.lower()}"


_MD5 = partial(hashlib.md5, usedforsecurity=False)

_ALGORITHMS = (
    Algorithm("CRC32", 4, lambda: _Crc(crt.crc32, 4), cpu_bound=False),
    Algorithm("CRC32C", 4, lambda: _Crc(crt.crc32c, 4), cpu_bound=False),
    Algorithm("CRC64NVME", 8, lambda: _Crc(crt.crc64nvme, 8), cpu_bound=False),
    Algorithm("SHA1", 20, partial(hashlib.sha1, usedforsecurity=False), cpu_bound=True),
    Algorithm("SHA256", 32, hashlib.sha256, cpu_bound=True),
    Algorithm("SHA512", 64, hashlib.sha512, cpu_bound=True),
    Algorithm("MD5", 16, _MD5, cpu_bound=True),
    Algorithm("XXHASH64", 8, lambda: _XxHash(crt.XXHash.new_xxhash64), cpu_bound=False),
    Algorithm("XXHASH3", 8, lambda: _XxHash(crt.XXHash.new_xxhash3_64), cpu_bound=False),
    Algorithm("XXHASH128", 16, lambda: _XxHash(crt.XXHash.new_xxhash3_128), cpu_bound=False),
)

BY_HEADER = {algorithm.header: algorithm for algorithm in _ALGORITHMS}
"""Algorithms by the header that carries a value. ``x-amz-checksum-algorithm``, ``-type`` and ``-mode`` carry none; a
header of an algorithm that is not here is left to the remote to judge."""


@dataclass(slots=True)
class Expectation:
    """A digest that the body must have."""

    name: str
    """``Content-MD5``, ``x-amz-content-sha256`` or the name of the `Algorithm`."""
    expected: bytes | None
    """None until `declare` is called with what the trailer says."""
    hasher: Hasher
    code: str
    """The S3 error code of a mismatch."""
    cpu_bound: bool
    trailer: str | None = None
    """The trailer field that brings the value, in lower case; None if a header brought it."""

    def declare(self, value: str) -> None:
        """Takes the value that arrived in the trailer. Raises InvalidRequest if it is not such a digest."""
        assert self.trailer is not None  # noqa: S101  headers were read in `declared`
        self.expected = _decode(value, BY_HEADER[self.trailer].size)
        if self.expected is None:
            raise S3Error("InvalidRequest", f"Value for {self.trailer} trailing header is invalid.")

    def verify(self) -> None:
        """Raises BadDigest or XAmzContentSHA256Mismatch unless what the hasher was fed has the declared digest.
        Raises MalformedTrailerError if the value was to come in the trailer and did not."""
        if self.expected is None:
            raise S3Error("MalformedTrailerError")
        calculated = self.hasher.digest()
        if calculated != self.expected:
            raise self._mismatch(self.expected, calculated)

    def _mismatch(self, expected: bytes, calculated: bytes) -> S3Error:
        if self.code == "XAmzContentSHA256Mismatch":
            elements = {
                "ClientComputedContentSHA256": expected.hex(),
                "S3ComputedContentSHA256": calculated.hex(),
            }
            return S3Error(self.code, elements=elements)
        if self.name == "Content-MD5":
            elements = {"ExpectedDigest": _encode(expected), "CalculatedDigest": _encode(calculated)}
            message = "The Content-MD5 you specified did not match what we received."
            return S3Error(self.code, message, elements=elements)
        return S3Error(self.code, f"The {self.name} you specified did not match the calculated checksum.")


def declared(
    headers: CIMultiDict[str],
    *,
    payload_sha256: str | None = None,
    trailers: Collection[str] = (),
    body_checksums: bool = True,
) -> list[Expectation]:
    """What a request declares about its body, in the order in which S3 judges it.

    ``payload_sha256``: 64 hex digits of ``x-amz-content-sha256``, if that holds a digest. ``trailers``: the lower-case
    names announced in ``x-amz-trailer``. ``body_checksums``: False for operations whose ``x-amz-checksum-*`` headers
    describe the object and not the body of the request (CompleteMultipartUpload, CopyObject).

    Raises InvalidDigest for a malformed Content-MD5, InvalidRequest for a malformed checksum, for more than one and for
    a trailer that S3 does not support.
    """
    expectations: list[Expectation] = []
    if payload_sha256 is not None:
        expected = bytes.fromhex(payload_sha256)
        code = "XAmzContentSHA256Mismatch"
        expectations.append(Expectation("x-amz-content-sha256", expected, hashlib.sha256(), code, True))
    if "Content-MD5" in headers:
        expectations.append(_content_md5(",".join(headers.getall("Content-MD5"))))
    in_header = _in_header(headers) if body_checksums else []
    expectations += in_header
    if trailers:
        expectations += _in_trailer(trailers, has_header=bool(in_header))
    return expectations


def _content_md5(value: str) -> Expectation:
    expected = _decode(value, 16)
    if expected is None:
        raise S3Error("InvalidDigest", "The Content-MD5 you specified was invalid.", elements={"Content-MD5": value})
    return Expectation("Content-MD5", expected, _MD5(), "BadDigest", True)


def _in_header(headers: CIMultiDict[str]) -> list[Expectation]:
    found = [(BY_HEADER[name.lower()], value) for name, value in headers.items() if name.lower() in BY_HEADER]
    if not found:
        return []
    if len(found) > 1:
        message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        raise S3Error("InvalidRequest", message)
    algorithm, value = found[0]
    expected = _decode(value, algorithm.size)
    if expected is None:
        raise S3Error("InvalidRequest", f"Value for {algorithm.header} header is invalid.")
    return [Expectation(algorithm.name, expected, algorithm.new(), "BadDigest", algorithm.cpu_bound)]


def _in_trailer(trailers: Collection[str], *, has_header: bool) -> list[Expectation]:
    if not all(name in BY_HEADER for name in trailers):
        raise S3Error("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    if len(trailers) + has_header > 1:
        raise S3Error("InvalidRequest", "Expecting a single x-amz-checksum- header")
    algorithms = [BY_HEADER[name] for name in trailers]
    return [Expectation(a.name, None, a.new(), "BadDigest", a.cpu_bound, a.header) for a in algorithms]


def _decode(value: str, size: int) -> bytes | None:
    """The digest that base64 text says; None if the text is malformed or the length is not ``size``."""
    try:
        digest = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == size else None


def _encode(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
