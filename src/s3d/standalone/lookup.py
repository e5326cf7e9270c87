"""Which version a read means, and what is said when there is none."""

from __future__ import annotations

from s3d.local.database import Connection
from s3d.s3.errors import S3Error
from s3d.standalone import history
from s3d.standalone.answers import http_date
from s3d.standalone.bucket import Bucket
from s3d.standalone.version import Version, key_text


def readable(
    connection: Connection, bucket: Bucket, key: bytes, version_id: str | None, method: str = "GET"
) -> Version:
    """The object, or that version of it. ``method`` is that of the request, for the error.

    Raises NoSuchKey; with a version id NoSuchVersion, InvalidArgument, and MethodNotAllowed for a delete marker.
    """
    if version_id is not None:
        return _by_id(connection, bucket, key, version_id, method)
    found = history.current(connection, bucket, key)
    if found is None:
        marker = history.latest(connection, bucket, key) if bucket.versioning is not None else None
        raise S3Error("NoSuchKey", elements={"Key": key_text(key)}, headers=_marked(marker))
    return found


def version_member(bucket: Bucket, version: Version) -> dict[str, str]:
    """The output member VersionId, which only buckets have whose versions were enabled once."""
    return {} if bucket.versioning is None else {"VersionId": version.version_id}


def _by_id(connection: Connection, bucket: Bucket, key: bytes, version_id: str, method: str) -> Version:
    found = history.find(connection, bucket, key, version_id)
    if found is None:
        raise S3Error("NoSuchVersion", elements={"Key": key_text(key), "VersionId": version_id})
    if found.marker:
        headers = {**_marked(found), "Allow": "DELETE", "Last-Modified": http_date(found.modified)}
        raise S3Error("MethodNotAllowed", elements={"Method": method, "ResourceType": "DeleteMarker"}, headers=headers)
    return found


def _marked(marker: Version | None) -> dict[str, str]:
    """The headers by which an error says that it comes from a delete marker."""
    return {} if marker is None else {"x-amz-delete-marker": "true", "x-amz-version-id": marker.version_id}
