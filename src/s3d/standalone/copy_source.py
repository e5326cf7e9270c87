"""The source of a copy: what ``x-amz-copy-source`` names ("CopyObject", Amazon S3 API Reference)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from s3d.local.database import Connection
from s3d.s3.errors import S3Error
from s3d.s3.uri import unquote
from s3d.standalone import bucket as buckets
from s3d.standalone.bucket import Bucket
from s3d.standalone.conditions import check_copy_source
from s3d.standalone.lookup import readable
from s3d.standalone.put import MAX_SIZE
from s3d.standalone.version import Version, key_bytes

_HEADER = "x-amz-copy-source"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class CopySource:
    """Where to copy from."""

    bucket: str
    key: bytes
    version_id: str | None


def parse(text: str) -> CopySource:
    """Percent-encoded ``[/]bucket/key[?versionId=id]``. Raises InvalidArgument, and NotImplemented for the ARN of an access
    point."""
    if _BROKEN_ESCAPE.search(text):
        elements = {"ArgumentName": _HEADER, "ArgumentValue": text}
        raise S3Error("InvalidArgument", "Invalid copy source encoding.", elements=elements)
    path, mark, version_id = text.partition("?versionId=")
    path = unquote(path).removeprefix("/")
    if path.startswith("arn:"):
        raise S3Error("NotImplemented", elements={"Header": _HEADER})
    bucket, _, key = path.partition("/")
    if not bucket or not key:
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        elements = {"ArgumentName": _HEADER, "ArgumentValue": text}
        raise S3Error("InvalidArgument", message, elements=elements)
    return CopySource(bucket, key_bytes(key), unquote(version_id) if mark else None)


def find(connection: Connection, source: CopySource, members: Mapping[str, Any]) -> tuple[Bucket, Version]:
    """The bucket and the version to copy, after the conditions on it.

    Raises NoSuchBucket, NoSuchKey, NoSuchVersion, InvalidArgument (version id), InvalidRequest (delete marker),
    PreconditionFailed.
    """
    bucket = buckets.find(connection, source.bucket)
    try:
        found = readable(connection, bucket, source.key, source.version_id)
    except S3Error as error:
        if error.code == "MethodNotAllowed":
            message = "The source of a copy request may not specifically refer to a delete marker by version id."
            raise S3Error("InvalidRequest", message) from error
        error.headers.clear()  # those of a read: they would say of the target that it is deleted
        raise
    check_copy_source(members, found)
    return bucket, found


def check_size(size: int) -> None:
    """Raises InvalidRequest for more than one copy takes."""
    if size > MAX_SIZE:
        message = f"The specified copy source is larger than the maximum allowable size for a copy source: {MAX_SIZE}"
        raise S3Error("InvalidRequest", message)


def version_member(bucket: Bucket, found: Version) -> dict[str, str]:
    """The output member CopySourceVersionId, which only buckets have whose versions were enabled once."""
    return {} if bucket.versioning is None else {"CopySourceVersionId": found.version_id}
