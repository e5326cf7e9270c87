"""What the reference model holds: buckets, objects and their versions, uploads. Plain data; a bucket is a dict."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from model.checksums import md5_hex
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
_VERSION_ID = re.compile(r"null|[A-Za-z0-9._-]{32}")  # opaque to clients; 32 characters is how S3's own look

_version_ids = itertools.count(1)  # of all buckets: an id never means two versions


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
    """One version of an object, or a delete marker, which has neither body nor description."""

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
    parts: Mapping[int, Part] = field(default_factory=dict)
    """Of an object that came as a multipart upload, by the number that they were uploaded with."""
    version: str = "null"
    is_marker: bool = False
    acl: str = "private"

    @property
    def checksum_members(self) -> Members:
        """The checksum and its type, as answers have them."""
        return {**self.checksums, "ChecksumType": self.checksum_type} if self.checksums else {}


@dataclass
class Upload:
    id: str
    key: str
    headers: CIMultiDict[str]
    tags: dict[str, str]
    storage_class: str
    initiated: datetime
    algorithm: str | None = None
    """None: S3 computes its default checksum of the whole."""
    checksum_type: str = "FULL_OBJECT"
    parts: dict[int, Part] = field(default_factory=dict)


@dataclass
class Bucket:
    name: str
    created: datetime
    location: str = ""
    """As GetBucketLocation says it: empty in us-east-1."""
    versioning: str = ""
    """``Enabled``, ``Suspended``, or empty if it never was configured."""
    objects: dict[str, Object] = field(default_factory=dict)
    """What a list shows: the current version of each key, where that is no delete marker."""
    older: dict[str, list[Object]] = field(default_factory=dict)
    """All other versions of each key, newest first. A current delete marker is the first of them."""
    uploads: dict[str, Upload] = field(default_factory=dict)
    completed: dict[str, tuple[str, Members]] = field(default_factory=dict)
    """Finished uploads by id, with the key and the answer: completing twice answers twice the same."""
    configurations: dict[str, Any] = field(default_factory=dict)
    """What is only stored and returned (CORS, policy, ...), by the name of the operation that reads it."""

    def versions(self, key: str) -> list[Object]:
        """Newest first."""
        current = [self.objects[key]] if key in self.objects else []
        return current + self.older.get(key, [])

    def keep(self, key: str, versions: list[Object]) -> None:
        """Makes these, newest first, the versions of a key."""
        self.objects.pop(key, None)
        self.older.pop(key, None)
        if versions and not versions[0].is_marker:
            self.objects[key], versions = versions[0], versions[1:]
        if versions:
            self.older[key] = versions

    def add(self, key: str, new: Object) -> Members:
        """Makes ``new`` the current version. It gets an id of its own where versioning is enabled and else replaces the
        null version. Returns what the answer says of it: suspended buckets do not name the null version of a write."""
        others = self.versions(key)
        if self.versioning == "Enabled":
            new.version = f"{next(_version_ids):032}"
        else:
            others = [version for version in others if version.version != "null"]
        self.keep(key, [new, *others])
        return {"VersionId": new.version} if self.versioning == "Enabled" else {}

    def read(self, key: str, version: str | None, method: str = "GET") -> Object:
        """The object that a read means. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker by its id)
        or InvalidArgument (no version id)."""
        if version is None:
            return self._current(key)
        check_version_id(version)
        found = next((one for one in self.versions(key) if one.version == version), None)
        if found is None:
            raise S3Error("NoSuchVersion", elements={"Key": key, "VersionId": version})
        if found.is_marker:
            headers = {"x-amz-delete-marker": "true", "x-amz-version-id": version, "Allow": "DELETE"}
            headers["Last-Modified"] = found.modified.strftime("%a, %d %b %Y %H:%M:%S GMT")
            elements = {"Method": method, "ResourceType": "DeleteMarker"}
            raise S3Error("MethodNotAllowed", elements=elements, headers=headers)
        return found

    def _current(self, key: str) -> Object:
        if key in self.objects:
            return self.objects[key]
        hidden = self.older.get(key)
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": hidden[0].version} if hidden else {}
        raise S3Error("NoSuchKey", elements={"Key": key}, headers=headers)

    def named(self, found: Object) -> Members:
        """The version id in an answer about an object: there once versioning was configured, also as ``null``."""
        return {"VersionId": found.version} if self.versioning else {}

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

    @property
    def version(self) -> str | None:
        return self.members.get("VersionId")


@dataclass
class Answer:
    members: Members = field(default_factory=dict)
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Fields beside those of the members."""
    body: bytes | None = None


def check_version_id(version: str) -> None:
    """Raises InvalidArgument for what cannot be a version id."""
    if not _VERSION_ID.fullmatch(version):
        message = "Invalid version id specified" if version else "Version id cannot be the empty string"
        raise S3Error("InvalidArgument", message, elements={"ArgumentName": "versionId", "ArgumentValue": version})


def stored_headers(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """What of a request's header is kept with the object."""
    kept = CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() in _STORED_HEADERS or name.lower().startswith("x-amz-meta-")
    )
    size = sum(len(n) - len("x-amz-meta-") + len(v) for n, v in kept.items() if n.lower().startswith("x-amz-meta-"))
    if size > 2048:
        raise S3Error("MetadataTooLarge", elements={"Size": str(size), "MaxSizeAllowed": "2048"})
    kept.setdefault("Content-Type", "binary/octet-stream")
    return kept
