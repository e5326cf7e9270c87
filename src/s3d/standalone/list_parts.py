"""ListParts."""

from __future__ import annotations

from s3d.local.database import unchanging
from s3d.s3 import codec
from s3d.s3.message import S3Response
from s3d.standalone import checksums
from s3d.standalone import upload as uploads
from s3d.standalone.answers import moment
from s3d.standalone.bucket import OWNER
from s3d.standalone.store import Call, Members, Store
from s3d.standalone.upload import Part, Upload

_PAGE = 1000


async def list_parts(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, NoSuchUpload."""
    members = call.members
    limit = min(members.get("MaxParts", _PAGE), _PAGE)
    marker = members.get("PartNumberMarker", 0)
    with unchanging(store.reader):
        upload = uploads.find(store.reader, store.bucket(call.bucket), call.key, members["UploadId"])
        found = uploads.parts(store.reader, upload.id, after=marker, limit=limit + 1) if limit else []
    shown = found[:limit]
    answer: Members = {
        "Bucket": call.bucket,
        "Key": members["Key"],
        "UploadId": upload.upload_id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1].number if shown else 0,
        "MaxParts": limit,
        "IsTruncated": len(found) > limit,
        "Parts": [_entry(upload, part) for part in shown],
        "Initiator": OWNER,
        "Owner": OWNER,
        "StorageClass": upload.storage_class or "STANDARD",
        **upload.members,
    }
    return codec.build_response("ListParts", answer)


def _entry(upload: Upload, part: Part) -> Members:
    entry: Members = {
        "PartNumber": part.number,
        "LastModified": moment(part.modified),
        "ETag": part.quoted_etag,
        "Size": part.size,
    }
    return entry if upload.algorithm is None else entry | checksums.members_of_part(part.checksum)
