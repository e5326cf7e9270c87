"""The additional checksum of an object: which one, whether it holds, and how it is written.

Stored as ``ALGORITHM:BASE64``; with ``-N`` at the end it is a checksum of the checksums of N parts (COMPOSITE). An object
put without one gets CRC64NVME. Source: "Checking object integrity in Amazon S3", Amazon S3 User Guide.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from awscrt import checksums as crt
from multidict import CIMultiDict

from s3d.s3.checksums import BY_HEADER, Algorithm, declared
from s3d.s3.errors import S3Error

BY_NAME = {algorithm.name: algorithm for algorithm in BY_HEADER.values()}
DEFAULT = BY_NAME["CRC64NVME"]

_COMBINE: dict[str, Callable[[int, int, int], int]] = {
    "CRC32": crt.combine_crc32,
    "CRC32C": crt.combine_crc32c,
    "CRC64NVME": crt.combine_crc64nvme,
}
"""The algorithms that an upload in parts can have of the whole object: those whose value follows from the parts' values."""


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
    said = named(headers.get("x-amz-sdk-checksum-algorithm"))
    if algorithm is not None and said is not None and said is not algorithm:
        raise S3Error("InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid.")
    return Declared(algorithm or said or default, checksum, md5)


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


def of_upload(members: Mapping[str, Any]) -> tuple[str | None, str]:
    """The algorithm that CreateMultipartUpload asks for (None: nothing), and the checksum's type. Raises InvalidRequest for
    a combination that S3 does not have: CRC64NVME is of the whole object only, and digests that cannot be combined are of
    the parts only."""
    algorithm, kind = named(members.get("ChecksumAlgorithm")), members.get("ChecksumType")
    if kind is not None and kind.upper() not in ("COMPOSITE", "FULL_OBJECT"):
        raise S3Error("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    if algorithm is None:
        if kind is not None:
            message = "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            raise S3Error("InvalidRequest", message)
        return None, "FULL_OBJECT"
    kind = kind.upper() if kind else "FULL_OBJECT" if algorithm is DEFAULT else "COMPOSITE"
    if (algorithm is DEFAULT) if kind == "COMPOSITE" else (algorithm.name not in _COMBINE):
        message = f"The {kind} checksum type cannot be used with the {algorithm.name.lower()} checksum algorithm."
        raise S3Error("InvalidRequest", message)
    return algorithm.name, kind


def full_object(algorithm: Algorithm, parts: Iterable[tuple[str, int]]) -> str:
    """The checksum of the whole from those of its parts, as they are stored, and their sizes; as it is stored."""
    combine, value = _COMBINE[algorithm.name], 0
    for checksum, size in parts:
        value = combine(value, int.from_bytes(_digest(checksum), "big"), size)
    return stored(algorithm, value.to_bytes(algorithm.size, "big"))


def composite(algorithm: Algorithm, parts: Sequence[str]) -> str:
    """The checksum of the parts' checksums, as they are stored; as it is stored."""
    hasher = algorithm.new()
    hasher.update(b"".join(map(_digest, parts)))
    return f"{stored(algorithm, hasher.digest())}-{len(parts)}"


def algorithm_of(stored: str | None) -> Algorithm:
    """The algorithm of a stored checksum."""
    return DEFAULT if stored is None else BY_NAME[stored.partition(":")[0]]


def _digest(stored: str) -> bytes:
    return base64.b64decode(stored.partition(":")[2])


def stored(algorithm: Algorithm, digest: bytes) -> str:
    """As the column holds it."""
    return f"{algorithm.name}:{encode(digest)}"


def members(stored: str | None) -> dict[str, str]:
    """Output members: ``ChecksumCRC32`` or another, and ``ChecksumType``."""
    if stored is None:
        return {}
    name, _, value = stored.partition(":")
    return {f"Checksum{name}": value, "ChecksumType": "COMPOSITE" if "-" in value else "FULL_OBJECT"}


def members_of_part(stored: str) -> dict[str, str]:
    """The output member ``ChecksumCRC32`` or another: a part's checksum has no type."""
    name, _, value = stored.partition(":")
    return {f"Checksum{name}": value}


def encode(digest: bytes) -> str:
    """Base64, as S3 writes digests."""
    return base64.b64encode(digest).decode()


def headers(stored: str | None) -> Iterable[tuple[str, str]]:
    """Response headers."""
    if stored is not None:
        name, _, value = stored.partition(":")
        yield f"x-amz-checksum-{name.lower()}", value
        yield "x-amz-checksum-type", "COMPOSITE" if "-" in value else "FULL_OBJECT"


def part_headers(part: str, whole: str | None) -> Iterable[tuple[str, str]]:
    """Response headers of one part of an object whose checksum is ``whole``."""
    name, _, value = part.partition(":")
    yield f"x-amz-checksum-{name.lower()}", value
    yield "x-amz-checksum-type", "COMPOSITE" if "-" in (whole or "") else "FULL_OBJECT"
