"""The additional checksum of an object: which one, whether it holds, and how it is written.

Stored as ``ALGORITHM:BASE64``; with ``-N`` at the end it is a checksum of the checksums of N parts (COMPOSITE). An object
put without one gets CRC64NVME. Source: "Checking object integrity in Amazon S3", Amazon S3 User Guide.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from multidict import CIMultiDict

from s3d.s3.checksums import BY_HEADER, Algorithm, declared
from s3d.s3.errors import S3Error

BY_NAME = {algorithm.name: algorithm for algorithm in BY_HEADER.values()}
DEFAULT = BY_NAME["CRC64NVME"]


@dataclass(frozen=True, slots=True)
class Declared:
    """What a request says of its body: the algorithm whose checksum is kept, and digests that must hold."""

    algorithm: Algorithm
    checksum: bytes | None
    md5: bytes | None

    def check(self, digests: Mapping[str, bytes], md5: bytes) -> None:
        """Raises BadDigest unless the body has what was declared."""
        if self.md5 is not None and self.md5 != md5:
            elements = {"ExpectedDigest": encode(self.md5), "CalculatedDigest": encode(md5)}
            message = "The Content-MD5 you specified did not match what we received."
            raise S3Error("BadDigest", message, elements=elements)
        if self.checksum is not None and self.checksum != digests[self.algorithm.name]:
            message = f"The {self.algorithm.name} you specified did not match the calculated checksum."
            raise S3Error("BadDigest", message)


def of_body(headers: CIMultiDict[str], default: Algorithm = DEFAULT) -> Declared:
    """What the headers of a PutObject or UploadPart declare. Raises InvalidDigest, InvalidRequest."""
    algorithm, checksum, md5 = None, None, None
    for expectation in declared(headers):
        if expectation.name == "Content-MD5":
            md5 = expectation.expected
        else:
            algorithm, checksum = BY_NAME[expectation.name], expectation.expected
    if algorithm is None:
        algorithm = named(headers.get("x-amz-sdk-checksum-algorithm")) or default
    return Declared(algorithm, checksum, md5)


def named(name: str | None) -> Algorithm | None:
    """The algorithm that S3 calls so, None for none. Raises InvalidRequest for a name that S3 does not know."""
    if not name:
        return None
    algorithm = BY_NAME.get(name.upper())
    if algorithm is None:
        raise S3Error(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types.",
        )
    return algorithm


def stored(algorithm: Algorithm, digest: bytes) -> str:
    """As the column holds it."""
    return f"{algorithm.name}:{encode(digest)}"


def members(stored: str | None) -> dict[str, str]:
    """Output members: ``ChecksumCRC32`` or another, and ``ChecksumType``."""
    if stored is None:
        return {}
    name, _, value = stored.partition(":")
    return {f"Checksum{name}": value, "ChecksumType": "COMPOSITE" if "-" in value else "FULL_OBJECT"}


def encode(digest: bytes) -> str:
    """Base64, as S3 writes digests."""
    return base64.b64encode(digest).decode()


def headers(stored: str | None) -> Iterable[tuple[str, str]]:
    """Response headers."""
    if stored is not None:
        name, _, value = stored.partition(":")
        yield f"x-amz-checksum-{name.lower()}", value
        yield "x-amz-checksum-type", "COMPOSITE" if "-" in value else "FULL_OBJECT"
