"""Checking what was read against what S3 says about the whole object.

A checksum of the full object is best; else the ETag, which is an MD5 where the object was written in one piece and is
not encrypted with a key of the customer's or of KMS. Source: "Checking object integrity in Amazon S3" in the User Guide.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from s3d.cli.errors import Failure, readable
from s3d.s3.checksums import BY_HEADER, Hasher

_BLOCK = 1 << 20


class Digest:
    """A running digest and what it must become."""

    def __init__(self, name: str, hasher: Hasher, expected: bytes) -> None:
        self.name = name
        self._hasher = hasher
        self._expected = expected

    def update(self, data: bytes | memoryview) -> None:
        """Takes the next bytes of the object."""
        self._hasher.update(data)

    def verify(self, what: str) -> None:
        """Raises Failure unless all bytes together have the expected digest."""
        if self._hasher.digest() != self._expected:
            raise Failure(f"What arrived is not what was stored: the {self.name} does not match. ({readable(what)})")

    def verify_file(self, path: Path, what: str) -> None:
        """Reads a whole file and verifies it. Blocks."""
        with path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                self.update(block)
        self.verify(what)


def expected(headers: Mapping[str, str]) -> Digest | None:
    """The digest of the whole object that the headers of a GET or HEAD tell, None if they tell none."""
    if headers.get("x-amz-checksum-type", "FULL_OBJECT").upper() == "FULL_OBJECT":
        for name, algorithm in BY_HEADER.items():
            value = headers.get(name)
            if value and "-" not in value:  # "-3" at the end: a checksum of three checksums
                return Digest(algorithm.name, algorithm.new(), base64.b64decode(value))
    return _md5(headers)


def _md5(headers: Mapping[str, str]) -> Digest | None:
    etag = headers.get("ETag", "").strip('"')
    by_kms = headers.get("x-amz-server-side-encryption", "").startswith("aws:")
    by_customer = "x-amz-server-side-encryption-customer-algorithm" in headers
    if by_kms or by_customer or len(etag) != 32:
        return None
    try:
        return Digest("ETag (MD5)", hashlib.md5(usedforsecurity=False), bytes.fromhex(etag))
    except ValueError:
        return None
