"""What the operations of the embedded store work on: its database, its bodies, and one request at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from s3d.local.bodies import Bodies, Segment
from s3d.local.database import Connection, Database
from s3d.s3.message import RequestBody, S3Request
from s3d.standalone import bucket as buckets
from s3d.standalone.bucket import Bucket
from s3d.standalone.version import Version, key_bytes

Members = dict[str, Any]


class Observer(Protocol):
    """Is told of every change of an object, inside the transaction that makes it: what it adds there is durable with the
    change, what it raises undoes it."""

    def begun(self, connection: Connection, call: Call, upload: int) -> None:
        """CreateMultipartUpload made the upload of that id."""

    def wrote(self, connection: Connection, call: Call, version: Version) -> None:
        """PutObject, CopyObject or CompleteMultipartUpload made the current version of a key."""

    def deleted(self, connection: Connection, bucket: Bucket, marker: Version) -> None:
        """A delete made this delete marker."""

    def tagged(self, connection: Connection, call: Call, bucket: Bucket, version: Version, tags: str | None) -> None:
        """PutObjectTagging or DeleteObjectTagging gave a version these tags (JSON; None: none)."""


@dataclass(frozen=True, slots=True)
class Store:
    """The open store."""

    database: Database
    bodies: Bodies
    observer: Observer | None = None

    @property
    def reader(self) -> Connection:
        """For reading what is committed."""
        return self.database.reader

    def bucket(self, name: str) -> Bucket:
        """As it is committed. Raises NoSuchBucket."""
        return buckets.find(self.database.reader, name)

    def segments(self, version: Version) -> Sequence[Segment]:
        """The bodies of a version, one after the other; as it is committed."""
        if version.upload is not None:
            query = (
                "SELECT part.size, body.file, body.data FROM part JOIN body ON body.id = part.body "
                "WHERE part.upload = ? ORDER BY part.number"
            )
            return [Segment(*row) for row in self.reader.execute(query, (version.upload,))]
        query = "SELECT size, file, data FROM body WHERE id = ?"
        return [Segment(*row) for row in self.reader.execute(query, (version.body,))]


@dataclass(slots=True)
class Call:
    """One request with its input members."""

    request: S3Request
    members: Members

    @property
    def bucket(self) -> str:
        return str(self.members["Bucket"])

    @property
    def key(self) -> bytes:
        return key_bytes(self.members["Key"])

    @property
    def body(self) -> RequestBody:
        return self.request.body


def now() -> int:
    """Seconds since 1970: S3's clock for Last-Modified."""
    return int(time.time())
