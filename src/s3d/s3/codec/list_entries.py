"""The entries of lists of objects as XML, written directly.

A page has a thousand of them: as dicts of members they take 5 ms to write, like this 1.3. The order of elements is that of
S3's answers, and so can be the order of the entries: there versions and delete markers of a key stand between each other,
which members (``Versions``, ``DeleteMarkers``) cannot say. What is written here goes to `build_response` as ``elements``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from s3d.s3.codec import xml_write
from s3d.s3.codec.xml_write import escape

Checksum = tuple[str, str]
"""Algorithm and type: ``("CRC32", "FULL_OBJECT")``."""

_DAY = 86400  # seconds


def contents(
    key: str, modified: int, etag: str, size: int, storage_class: str, checksum: Checksum | None, owner: str
) -> str:
    """An entry of ListObjects and ListObjectsV2. ``modified``: seconds since 1970; ``etag`` without its quotes;
    ``owner``: as `owner_element` gives it, or nothing."""
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{_moment(modified)}</LastModified>"
        f"<ETag>&quot;{etag}&quot;</ETag>{_checksum(checksum)}<Size>{size}</Size>{owner}"
        f"<StorageClass>{storage_class}</StorageClass></Contents>"
    )


def version(
    key: str,
    version_id: str,
    is_latest: bool,
    modified: int,
    etag: str,
    size: int,
    storage_class: str,
    checksum: Checksum | None,
    owner: str,
) -> str:
    """A version in ListObjectVersions."""
    return (
        f"<Version>{_identity(key, version_id, is_latest, modified)}"
        f"<ETag>&quot;{etag}&quot;</ETag>{_checksum(checksum)}<Size>{size}</Size>{owner}"
        f"<StorageClass>{storage_class}</StorageClass></Version>"
    )


def delete_marker(key: str, version_id: str, is_latest: bool, modified: int, owner: str) -> str:
    """A delete marker in ListObjectVersions."""
    return f"<DeleteMarker>{_identity(key, version_id, is_latest, modified)}{owner}</DeleteMarker>"


def common_prefix(prefix: str) -> str:
    """A common prefix in any list."""
    return f"<CommonPrefixes><Prefix>{escape(prefix)}</Prefix></CommonPrefixes>"


def owner_element(owner: Mapping[str, str]) -> str:
    """The element that says whose an entry is."""
    parts: list[str] = []
    xml_write.element("Owner", "Owner")(owner, parts.append)
    return "".join(parts)


def _identity(key: str, version_id: str, is_latest: bool, modified: int) -> str:
    return (
        f"<Key>{escape(key)}</Key><VersionId>{version_id}</VersionId>"
        f"<IsLatest>{'true' if is_latest else 'false'}</IsLatest><LastModified>{_moment(modified)}</LastModified>"
    )


def _checksum(checksum: Checksum | None) -> str:
    if checksum is None:
        return ""
    return f"<ChecksumAlgorithm>{checksum[0]}</ChecksumAlgorithm><ChecksumType>{checksum[1]}</ChecksumType>"


def _moment(seconds: int) -> str:
    day, rest = divmod(seconds, _DAY)
    minutes, second = divmod(rest, 60)
    return f"{_date(day)}T{minutes // 60:02}:{minutes % 60:02}:{second:02}.000Z"


@lru_cache(256)
def _date(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY, UTC).date().isoformat()
