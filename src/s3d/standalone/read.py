"""GetObject and HeadObject."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from multidict import CIMultiDict

from s3d.local.database import unchanging
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone.answers import http_date
from s3d.standalone.bucket import Bucket
from s3d.standalone.checksums import headers as checksum_headers
from s3d.standalone.conditions import check_read, names
from s3d.standalone.lookup import readable
from s3d.standalone.metadata import headers_of, refuse_unsupported
from s3d.standalone.ranges import byte_range
from s3d.standalone.store import Call, Store
from s3d.standalone.stored_body import stored_bytes
from s3d.standalone.version import Version

_OVERRIDES = {
    f"response-{name.lower()}": name
    for name in (
        "Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Type",
        "Expires",
    )
}


async def get_object(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, NoSuchKey, NoSuchVersion, MethodNotAllowed (delete marker), PreconditionFailed, NotModified,
    InvalidRange, InvalidPartNumber, InvalidRequest, InternalError (the body is damaged)."""
    refuse_unsupported(call.request.headers)
    with unchanging(store.reader):
        response, version, offset, length = _head(store, call)
        if length:
            response.body = stored_bytes(store, version, offset, length)
    return response


async def head_object(store: Store, call: Call) -> S3Response:
    """As `get_object`, without the body."""
    refuse_unsupported(call.request.headers)
    with unchanging(store.reader):
        return _head(store, call)[0]


def _head(store: Store, call: Call) -> tuple[S3Response, Version, int, int]:
    """The answer without its body, and which bytes that has."""
    members = call.members
    bucket = store.bucket(call.bucket)
    version = readable(store.reader, bucket, call.key, members.get("VersionId"))
    check_read(members, version)
    headers = CIMultiDict(_described(bucket, version))
    headers.extend(headers_of(version.headers))
    for name, value in call.request.query:
        if name in _OVERRIDES:
            headers[_OVERRIDES[name]] = value
    if members.get("ChecksumMode") == "ENABLED":
        headers.extend(checksum_headers(version.checksum))
    where = _part(store, call, version, headers) or _range(call, version)
    offset, length = where or (0, version.size)
    if where is not None:
        headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{version.size}"
    headers["Content-Length"] = str(length)
    return S3Response(206 if where else 200, headers), version, offset, length


def _described(bucket: Bucket, version: Version) -> Iterable[tuple[str, str]]:
    """The headers beside those that came with the object."""
    yield "Last-Modified", http_date(version.modified)
    yield "ETag", version.quoted_etag
    yield "Accept-Ranges", "bytes"
    if bucket.versioning is not None:
        yield "x-amz-version-id", version.version_id
    if version.storage_class is not None:  # S3 leaves it out for STANDARD
        yield "x-amz-storage-class", version.storage_class
    if version.tags is not None:
        yield "x-amz-tagging-count", str(len(version.tag_set()))


def _range(call: Call, version: Version) -> tuple[int, int] | None:
    condition = call.request.headers.get("If-Range")
    if condition is not None and not _is_unchanged(condition, version):
        return None
    return byte_range(call.members.get("Range"), version.size)


def _is_unchanged(condition: str, version: Version) -> bool:
    """If-Range: an ETag, or exactly the date of the last change (RFC 9110 section 13.1.5)."""
    return condition == http_date(version.modified) or (condition != "*" and names(condition, version.etag))


def _part(store: Store, call: Call, version: Version, headers: CIMultiDict[str]) -> tuple[int, int] | None:
    """Offset and length of ``partNumber``; an object that was put whole has one part."""
    number: int | None = call.members.get("PartNumber")
    if number is None:
        return None
    if call.members.get("Range") is not None:
        raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    sizes = part_sizes(store, version) or [version.size]
    if not 1 <= number <= len(sizes):
        elements = {"PartNumberRequested": str(number), "ActualPartCount": str(len(sizes))}
        raise S3Error("InvalidPartNumber", elements=elements)
    if version.upload is not None:
        headers["x-amz-mp-parts-count"] = str(len(sizes))
    return (sum(sizes[: number - 1]), sizes[number - 1]) if version.size else None


def part_sizes(store: Store, version: Version) -> Sequence[int]:
    """Bytes of the parts of an object that came as a multipart upload, else nothing."""
    if version.upload is None:
        return []
    query = "SELECT size FROM part WHERE upload = ? ORDER BY number"
    return [size for (size,) in store.reader.execute(query, (version.upload,))]
