"""A multipart upload in progress as it is stored, and its parts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from s3d.local.bodies import Bodies
from s3d.local.database import Connection
from s3d.s3.checksums import Algorithm
from s3d.s3.errors import S3Error
from s3d.standalone import checksums, history
from s3d.standalone.bucket import Bucket

_ID_DIGITS = 16  # hex digits of an UploadId that are `Upload.id`; 32 random ones follow


@dataclass(frozen=True, slots=True)
class Upload:
    """A row of ``upload``; see `s3d.standalone.schema` for the columns."""

    id: int
    upload_id: str
    bucket: int
    key: bytes
    initiated: int
    headers: str
    tags: str | None
    storage_class: str | None
    acl: str | None
    algorithm: str | None
    checksum_type: str

    @property
    def kept(self) -> Algorithm:
        """The algorithm whose checksum is kept of each part: the one asked for, else S3's default."""
        return checksums.BY_NAME[self.algorithm] if self.algorithm else checksums.DEFAULT

    @property
    def members(self) -> dict[str, str]:
        """Output members ChecksumAlgorithm and ChecksumType, which S3 shows of an upload that asked for an algorithm."""
        return {"ChecksumAlgorithm": self.algorithm, "ChecksumType": self.checksum_type} if self.algorithm else {}


@dataclass(frozen=True, slots=True)
class Part:
    """A row of ``part``; see `s3d.standalone.schema` for the columns."""

    number: int
    body: int | None
    size: int
    etag: str
    checksum: str
    modified: int

    @property
    def quoted_etag(self) -> str:
        return f'"{self.etag}"'


_NUMBERS = 10_000  # "Multipart upload limits", Amazon S3 User Guide

COLUMNS = "id, upload_id, bucket, key, initiated, headers, tags, storage_class, acl, algorithm, checksum_type"
"""In the order of `Upload`."""


def check_number(number: int) -> None:
    """Raises InvalidArgument for what is the number of no part."""
    if not 1 <= number <= _NUMBERS:
        message = f"Part number must be an integer between 1 and {_NUMBERS}, inclusive"
        raise S3Error("InvalidArgument", message, elements={"ArgumentName": "partNumber", "ArgumentValue": str(number)})


def find(connection: Connection, bucket: Bucket, key: bytes, upload_id: str) -> Upload:
    """Raises NoSuchUpload."""
    row = None
    if upload_id.isascii():  # no upload has another id, and SQLite takes no text that is not UTF-8
        query = f"SELECT {COLUMNS} FROM upload WHERE upload_id = ? AND bucket = ? AND key = ?"
        row = connection.execute(query, (upload_id, bucket.id, key)).fetchone()
    if row is None:
        raise S3Error("NoSuchUpload", elements={"UploadId": upload_id})
    return Upload(*row)


def parts(connection: Connection, upload: int, *, after: int = 0, limit: int = -1) -> list[Part]:
    """Those with higher numbers than ``after``, in order; also of an object that was an upload."""
    query = (
        "SELECT number, body, size, etag, checksum, modified FROM part WHERE upload = ? AND number > ? "
        "ORDER BY number LIMIT ?"
    )
    return [Part(*row) for row in connection.execute(query, (upload, after, limit))]


def remove(connection: Connection, bodies: Bodies, upload: int) -> None:
    """Removes an upload and its parts."""
    connection.execute("DELETE FROM upload WHERE id = ?", (upload,))
    history.release_parts(connection, bodies, upload)


def new_upload_id(number: int) -> str:
    """48 hex digits: they sort as the uploads were begun, which is S3's order for those of one key, and nobody guesses
    them."""
    return id_prefix(number) + secrets.token_hex(16)


def id_prefix(number: int) -> str:
    """What the UploadId of the upload with that ``id`` begins with. Those of earlier uploads sort before it."""
    return f"{number:0{_ID_DIGITS}x}"


def id_of(upload_id: str) -> int | None:
    """The order in an UploadId, also of an upload that is gone; None for text that is none."""
    head = upload_id[:_ID_DIGITS]
    if len(upload_id) != _ID_DIGITS + 32 or head[0] > "7" or not set(upload_id) <= set("0123456789abcdef"):
        return None
    return int(head, 16)
