"""One version of an object as it is stored, and the names of versions."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass

from s3d.s3.errors import S3Error

NULL = "null"
"""VersionId of what was written while versions were not enabled."""

_LONGEST = 1024  # bytes of a key: "Naming Amazon S3 objects", Amazon S3 User Guide
_SEQ = 8  # bytes of a version id that are its order; 16 random ones follow


@dataclass(slots=True)
class Version:
    """A row of ``object`` or ``noncurrent``; see `s3d.standalone.schema` for the columns."""

    bucket: int
    key: bytes
    seq: int
    version: str | None
    modified: int
    size: int
    etag: str
    body: int | None
    upload: int | None
    headers: str
    tags: str | None = None
    storage_class: str | None = None
    checksum: str | None = None
    acl: str | None = None
    marker: bool = False

    @property
    def version_id(self) -> str:
        """As S3 shows it."""
        return self.version or NULL

    @property
    def quoted_etag(self) -> str:
        return f'"{self.etag}"'

    def tag_set(self) -> dict[str, str]:
        """Tags by key."""
        found: dict[str, str] = json.loads(self.tags) if self.tags else {}
        return found


COLUMNS = "bucket, key, seq, version, modified, size, etag, body, upload, headers, tags, storage_class, checksum, acl"
"""Those that both tables have, in the order of `Version`."""


def key_bytes(key: str) -> bytes:
    """What a key is stored as and ordered by."""
    return key.encode("utf-8", "surrogateescape")


def check_length(key: bytes) -> None:
    """Raises KeyTooLongError."""
    if len(key) > _LONGEST:
        raise S3Error("KeyTooLongError", elements={"Size": str(len(key)), "MaxSizeAllowed": str(_LONGEST)})


def key_text(key: bytes) -> str:
    """The reverse of `key_bytes`."""
    return key.decode("utf-8", "surrogateescape")


def new_version_id(seq: int) -> str:
    """32 characters: the order, so that the row is found by it, and something that nobody guesses."""
    return base64.urlsafe_b64encode(seq.to_bytes(_SEQ, "big") + secrets.token_bytes(16)).decode()


def seq_of(version_id: str) -> int:
    """The order in a version id. Raises InvalidArgument for text that cannot be one."""
    try:
        raw = base64.b64decode(version_id, b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != _SEQ + 16 or raw[0] > 0x7F:  # SQLite's integers have a sign
        raise S3Error(
            "InvalidArgument",
            "Invalid version id specified",
            elements={"ArgumentName": "versionId", "ArgumentValue": version_id},
        )
    return int.from_bytes(raw[:_SEQ], "big")
