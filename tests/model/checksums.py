"""Digests of bodies: those that a request declares, and those that S3 keeps ("Checking object integrity", S3 guide)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from awscrt import checksums as crt
from multidict import CIMultiDict

from s3d.s3.errors import S3Error

DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: crt.crc32c(data).to_bytes(4, "big"),
    "CRC64NVME": lambda data: crt.crc64nvme(data).to_bytes(8, "big"),
    "SHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}
DEFAULT = "CRC64NVME"
"""What S3 computes for an object that came without a checksum."""
COMPOSITE_ONLY = {"SHA1", "SHA256"}
FULL_OBJECT_ONLY = {"CRC64NVME"}


def checksum(algorithm: str, data: bytes) -> str:
    """Base64 of the digest. Raises NotImplemented for an algorithm that the model does not have."""
    if algorithm not in DIGESTS:
        raise S3Error("NotImplemented", f"the model has no checksum {algorithm}")
    return base64.b64encode(DIGESTS[algorithm](data)).decode()


def composite(algorithm: str, parts: list[str]) -> str:
    """The checksum of the parts' checksums, with their number."""
    joined = b"".join(base64.b64decode(part) for part in parts)
    return f"{checksum(algorithm, joined)}-{len(parts)}"


def md5_hex(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def verified(headers: CIMultiDict[str], members: Mapping[str, Any], body: bytes) -> tuple[str, str] | None:
    """Compares the body with every digest that the request declares; algorithm and value of its checksum, if it has one.

    One that is asked for (``x-amz-sdk-checksum-algorithm``) without a value is computed, as for a trailer that s3d's
    server has verified and taken off. Raises BadDigest, InvalidDigest or InvalidRequest.
    """
    declared = headers.get("Content-MD5")
    if declared is not None and _md5_of(declared) != md5_hex(body):
        raise S3Error("BadDigest", "The Content-MD5 you specified did not match what we received.")
    given = {name: value for name in DIGESTS if (value := members.get(f"Checksum{name}")) is not None}
    if len(given) > 1:
        message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        raise S3Error("InvalidRequest", message)
    for algorithm, value in given.items():
        check_value(algorithm, value)
        if value != checksum(algorithm, body):
            raise mismatch(algorithm)
        return algorithm, value
    asked = members.get("ChecksumAlgorithm")
    return (asked, checksum(asked, body)) if asked in DIGESTS else None


def check_value(algorithm: str, value: str) -> None:
    """Raises InvalidRequest unless the text (without ``-N``) is a digest of that algorithm."""
    try:
        digest = base64.b64decode(value.partition("-")[0], validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != len(DIGESTS[algorithm](b"")):
        raise S3Error("InvalidRequest", f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.")


def mismatch(algorithm: str) -> S3Error:
    return S3Error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def _md5_of(declared: str) -> str:
    """The hex digits that a Content-MD5 says. Raises InvalidDigest."""
    try:
        digest = base64.b64decode(declared, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 16:
        raise S3Error("InvalidDigest", elements={"Content-MD5": declared})
    return digest.hex()
