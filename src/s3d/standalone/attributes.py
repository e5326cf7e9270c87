"""GetObjectAttributes."""

from __future__ import annotations

from s3d.local.database import unchanging
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.standalone import checksums
from s3d.standalone import upload as uploads
from s3d.standalone.answers import moment
from s3d.standalone.lookup import readable, version_member
from s3d.standalone.metadata import refuse_unsupported
from s3d.standalone.store import Call, Members, Store
from s3d.standalone.version import Version

_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
_PAGE = 1000


async def get_object_attributes(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, NoSuchKey, NoSuchVersion, MethodNotAllowed (delete marker), InvalidArgument."""
    refuse_unsupported(call.request.headers)
    wanted: list[str] = call.members["ObjectAttributes"]
    if not wanted or not _ATTRIBUTES.issuperset(wanted):
        elements = {"ArgumentName": "x-amz-object-attributes", "ArgumentValue": ",".join(wanted)}
        raise S3Error("InvalidArgument", "Invalid attribute name specified.", elements=elements)
    with unchanging(store.reader):
        bucket = store.bucket(call.bucket)
        version = readable(store.reader, bucket, call.key, call.members.get("VersionId"))
        parts = _parts(store, call, version) if "ObjectParts" in wanted and version.upload is not None else None
    found: Members = {
        "ETag": version.etag,
        "Checksum": _checksum(version),
        "ObjectParts": parts,
        "StorageClass": version.storage_class or "STANDARD",
        "ObjectSize": version.size,
    }
    answer = {name: value for name, value in found.items() if name in wanted}
    answer |= {"LastModified": moment(version.modified), **version_member(bucket, version)}
    return codec.build_response("GetObjectAttributes", answer)


def _checksum(version: Version) -> Members | None:
    """Without the number of parts that a composite checksum has at its end everywhere else."""
    members = checksums.members(version.checksum)
    return {name: value.partition("-")[0] for name, value in members.items()} or None


def _parts(store: Store, call: Call, version: Version) -> Members:
    """S3 lists the parts only of an object whose checksum is one of theirs; of others it says how many there are."""
    assert version.upload is not None  # noqa: S101  so says the caller
    count = store.reader.execute("SELECT count(*) FROM part WHERE upload = ?", (version.upload,)).fetchone()[0]
    if "-" not in (version.checksum or ""):
        return {"TotalPartsCount": count}
    limit = min(call.members.get("MaxParts", _PAGE), _PAGE)
    marker = call.members.get("PartNumberMarker", 0)
    found = uploads.parts(store.reader, version.upload, after=marker, limit=limit + 1) if limit else []
    shown = found[:limit]
    return {
        "TotalPartsCount": count,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1].number if shown else 0,
        "MaxParts": limit,
        "IsTruncated": len(found) > limit,
        "Parts": [
            {"PartNumber": part.number, "Size": part.size, **checksums.members_of_part(part.checksum)} for part in shown
        ],
    }
