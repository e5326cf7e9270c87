"""What the reference model holds: buckets, objects, uploads. Plain data; a bucket is a dict."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awscrt import checksums as crt
from multidict import CIMultiDict

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request

Members = dict[str, Any]

_STORED_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-website-redirect-location",
)

DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: crt.crc32c(data).to_bytes(4, "big"),
    "CRC64NVME": lambda data: crt.crc64nvme(data).to_bytes(8, "big"),
    "SHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}


def checksum(algorithm: str, data: bytes) -> str:
    """Base64 of the digest. Raises NotImplemented for an algorithm that the model does not have."""
    if algorithm not in DIGESTS:
        raise S3Error("NotImplemented", f"the model has no checksum {algorithm}")
    return base64.b64encode(DIGESTS[algorithm](data)).decode()


def md5_hex(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def now() -> datetime:
    """S3's clock for Last-Modified has whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass
class Part:
    data: bytes
    modified: datetime
    checksum: str | None = None

    @property
    def etag(self) -> str:
        return f'"{md5_hex(self.data)}"'


@dataclass
class Object:
    data: bytes
    etag: str
    """With its quotes."""
    headers: CIMultiDict[str]
    """System and user metadata, as the fields that came in and go out."""
    modified: datetime
    tags: dict[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Member name (``ChecksumCRC32``) to base64, for multipart with ``-N``."""
    checksum_type: str = "FULL_OBJECT"
    part_sizes: tuple[int, ...] = ()
    """Of an object that came as a multipart upload."""


@dataclass
class Upload:
    id: str
    key: str
    headers: CIMultiDict[str]
    tags: dict[str, str]
    storage_class: str
    initiated: datetime
    algorithm: str | None = None
    checksum_type: str = "COMPOSITE"
    parts: dict[int, Part] = field(default_factory=dict)


@dataclass
class Bucket:
    name: str
    created: datetime
    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    completed: dict[str, tuple[str, Members]] = field(default_factory=dict)
    """Finished uploads by id, with the key and the answer: completing twice answers twice the same."""

    def object(self, key: str, version: str | None = None) -> Object:
        """Raises NoSuchKey; the only version here is ``null``."""
        if version not in (None, "null"):
            raise S3Error("InvalidArgument", "Invalid version id specified", elements={"ArgumentName": "versionId"})
        if key not in self.objects:
            raise S3Error("NoSuchKey", elements={"Key": key})
        return self.objects[key]

    def upload(self, key: str, upload_id: str) -> Upload:
        upload = self.uploads.get(upload_id)
        if upload is None or upload.key != key:
            raise S3Error("NoSuchUpload", elements={"UploadId": upload_id})
        return upload


@dataclass
class Store:
    buckets: dict[str, Bucket] = field(default_factory=dict)
    last_upload: int = 0

    def bucket(self, name: str) -> Bucket:
        if name not in self.buckets:
            raise S3Error("NoSuchBucket", elements={"BucketName": name})
        return self.buckets[name]


@dataclass
class Call:
    """One request with its parsed members and, for an operation with a streamed body, that body."""

    request: S3Request
    members: Members
    body: bytes = b""

    @property
    def key(self) -> str:
        return str(self.members["Key"])


@dataclass
class Answer:
    members: Members = field(default_factory=dict)
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Fields beside those of the members."""
    body: bytes | None = None


def stored_headers(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """What of a request's header is kept with the object."""
    kept = CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() in _STORED_HEADERS or name.lower().startswith("x-amz-meta-")
    )
    size = sum(len(n) - len("x-amz-meta-") + len(v) for n, v in kept.items() if n.lower().startswith("x-amz-meta-"))
    if size > 2048:
        raise S3Error("MetadataTooLarge")
    kept.setdefault("Content-Type", "binary/octet-stream")
    return kept


def verified_checksums(call: Call) -> dict[str, str]:
    """Compares the body with every digest that the request declares; returns the checksums by member name.

    One that is asked for (``x-amz-sdk-checksum-algorithm``) without a value is computed, as for a trailer that s3d's
    server has verified and taken off. The CRC64NVME that S3 adds when nothing is asked for is not part of the model.
    """
    declared = call.request.headers.get("Content-MD5")
    if declared is not None and _md5_of(declared) != md5_hex(call.body):
        raise S3Error("BadDigest")
    found = {}
    for algorithm in DIGESTS:
        value = call.members.get(f"Checksum{algorithm}")
        if value is None and call.members.get("ChecksumAlgorithm") != algorithm:
            continue
        found[f"Checksum{algorithm}"] = checksum(algorithm, call.body)
        if value not in (None, found[f"Checksum{algorithm}"]):
            raise S3Error("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
    return found


def _md5_of(declared: str) -> str:
    """The hex digits that a Content-MD5 says. Raises InvalidDigest."""
    try:
        digest = base64.b64decode(declared, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 16:
        raise S3Error("InvalidDigest")
    return digest.hex()
