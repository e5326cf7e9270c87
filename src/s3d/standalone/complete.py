"""CompleteMultipartUpload: the parts become an object where they are, in one transaction; no byte is copied.

    the document      parts in ascending order, each with the ETag and, where there is one, the checksum that was kept
    sizes             5 MiB at least for all but the last
    conditions        If-Match, If-None-Match on the key
    the whole         checksum and size that the request says the object has

What fails leaves the upload as it was. What succeeded answers the same when it is asked again, for `_REMEMBERED` seconds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any

from s3d.local.database import Connection
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response
from s3d.s3.uri import quote_path
from s3d.standalone import bucket as buckets
from s3d.standalone import checksums, conditions, history
from s3d.standalone import upload as uploads
from s3d.standalone.bucket import Bucket
from s3d.standalone.metadata import Metadata
from s3d.standalone.store import Call, Members, Store, now
from s3d.standalone.upload import Part, Upload
from s3d.standalone.version import Version

_MINIMUM = 5 << 20  # bytes of every part but the last: "Multipart upload limits", Amazon S3 User Guide
_REMEMBERED = 7 * 86400


async def complete_multipart_upload(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, NoSuchUpload, MalformedXML (no parts), InvalidPartOrder, InvalidPart, EntityTooSmall,
    PreconditionFailed, NoSuchKey (If-Match of nothing), BadDigest, InvalidRequest."""

    def change(connection: Connection) -> Members:
        bucket = buckets.find(connection, call.bucket)
        return _repeated(connection, bucket, call) or _complete(connection, store, bucket, call)

    return codec.build_response("CompleteMultipartUpload", await store.database.change(change))


def _repeated(connection: Connection, bucket: Bucket, call: Call) -> Members | None:
    """The answer that completing this upload got already."""
    upload_id: str = call.members["UploadId"]
    if not upload_id.isascii():  # as in `s3d.standalone.upload.find`
        return None
    query = "SELECT answer FROM completed WHERE upload_id = ? AND bucket = ? AND key = ?"
    row = connection.execute(query, (upload_id, bucket.id, call.key)).fetchone()
    answer: Members | None = json.loads(row[0]) if row else None
    return answer


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an upload becomes: of ``parts``, those that the document names; ``left`` are the others."""

    upload: Upload
    parts: list[Part]
    left: list[Part]
    version: Version


def prepare(connection: Connection, bucket: Bucket, call: Call) -> Prepared:
    """Judges the request, but for its conditions. Raises what `complete_multipart_upload` does."""
    upload = uploads.find(connection, bucket, call.key, call.members["UploadId"])
    there = {part.number: part for part in uploads.parts(connection, upload.id)}
    chosen = _chosen(upload, there, (call.members.get("MultipartUpload") or {}).get("Parts") or [])
    checksum = _checksum(upload, chosen)
    size = sum(part.size for part in chosen)
    _check_whole(call.members, upload, checksum, size)
    numbers = {part.number for part in chosen}
    left = [part for number, part in there.items() if number not in numbers]
    return Prepared(upload, chosen, left, _version(upload, chosen, checksum, size))


def _complete(connection: Connection, store: Store, bucket: Bucket, call: Call) -> Members:
    prepared = prepare(connection, bucket, call)
    upload, version = prepared.upload, prepared.version
    old = history.current(connection, bucket, call.key)
    conditions.check_write(call.members, call.key, old)
    for part in prepared.left:
        connection.execute("DELETE FROM part WHERE upload = ? AND number = ?", (upload.id, part.number))
        store.bodies.release(connection, part.body)
    connection.execute("DELETE FROM upload WHERE id = ?", (upload.id,))
    history.put(connection, store.bodies, bucket, version, old)
    if store.observer is not None:
        store.observer.wrote(connection, call, version)
    answer = _answer(call, bucket, version)
    remember(connection, upload, answer)
    return answer


def _chosen(upload: Upload, there: dict[int, Part], named: list[Members]) -> list[Part]:
    """The parts that the document names. Raises MalformedXML, InvalidPartOrder, InvalidArgument (a number), InvalidPart,
    InvalidRequest (a checksum is missing), EntityTooSmall."""
    if not named or any("PartNumber" not in entry or "ETag" not in entry for entry in named):
        raise S3Error("MalformedXML")
    numbers = [entry["PartNumber"] for entry in named]
    if any(first >= second for first, second in itertools.pairwise(numbers)):
        message = "The list of parts was not in ascending order. Parts must be ordered by part number."
        raise S3Error("InvalidPartOrder", message, elements={"UploadId": upload.upload_id})
    if numbers[0] < 1:
        elements = {"ArgumentName": "PartNumber", "ArgumentValue": str(numbers[0])}
        raise S3Error("InvalidArgument", "PartNumber must be >= 1", elements=elements)
    chosen = [_part(upload, there.get(entry["PartNumber"]), entry) for entry in named]
    for part in chosen[:-1]:
        if part.size < _MINIMUM:
            elements = {"ProposedSize": str(part.size), "MinSizeAllowed": str(_MINIMUM)}
            elements |= {"PartNumber": str(part.number), "ETag": part.etag}
            message = "Your proposed upload is smaller than the minimum allowed size"
            raise S3Error("EntityTooSmall", message, elements=elements)
    return chosen


def _part(upload: Upload, part: Part | None, entry: Members) -> Part:
    """The part that an entry names. Where its algorithm was not asked for, a checksum in the entry is that of another one
    and was compared when the part came."""
    etag = entry["ETag"].strip().strip('"')
    claimed = entry.get(f"Checksum{upload.kept.name}")
    if part is None or etag != part.etag or (claimed is not None and claimed != part.checksum.partition(":")[2]):
        elements = {"UploadId": upload.upload_id, "PartNumber": str(entry["PartNumber"]), "ETag": etag}
        message = (
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
            "specified entity tag may not match the part's entity tag."
        )
        raise S3Error("InvalidPart", message, elements=elements)
    if claimed is None and upload.checksum_type == "COMPOSITE":
        message = (
            f"The upload was created using a {upload.kept.name.lower()} checksum. The complete request must include the "
            f"checksum for each part. It was missing for part {part.number} in the request."
        )
        raise S3Error("InvalidRequest", message)
    return part


def _checksum(upload: Upload, parts: list[Part]) -> str:
    if upload.checksum_type == "COMPOSITE":
        return checksums.composite(upload.kept, [part.checksum for part in parts])
    return checksums.full_object(upload.kept, ((part.checksum, part.size) for part in parts))


def _check_whole(members: Members, upload: Upload, checksum: str, size: int) -> None:
    """What the request says of the object. Raises BadDigest, InvalidRequest."""
    kind: str | None = members.get("ChecksumType")
    if kind is not None and kind.upper() != upload.checksum_type:
        message = (
            f"The upload was created using the {upload.checksum_type} checksum mode. The complete request must use the "
            "same checksum mode."
        )
        raise S3Error("InvalidRequest", message)
    for name, algorithm in checksums.BY_NAME.items():
        said: str | None = members.get(f"Checksum{name}")
        if said is None:
            continue
        digest, _, count = said.strip().partition("-")
        if not _is_digest(digest, algorithm.size):
            raise S3Error("InvalidRequest", f"Value for {algorithm.header} header is invalid.")
        value = checksum.partition(":")[2]
        if algorithm is not upload.kept or said.strip() != (value if count else value.partition("-")[0]):
            message = f"The {name.lower()} you specified did not match the calculated checksum."
            raise S3Error("BadDigest", message)
    expected: int | None = members.get("MpuObjectSize")
    if expected is not None and expected != size:
        message = (
            f"The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {size}"
        )
        raise S3Error("InvalidRequest", message)


def _is_digest(text: str, size: int) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == size
    except (binascii.Error, ValueError):
        return False


def _version(upload: Upload, parts: list[Part], checksum: str, size: int) -> Version:
    md5s = b"".join(bytes.fromhex(part.etag) for part in parts)
    etag = f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(parts)}"
    described = Metadata(upload.headers, upload.tags, upload.storage_class, upload.acl)
    where = (upload.bucket, upload.key)
    return described.version(*where, size=size, etag=etag, checksum=checksum, body=None, upload=upload.id)


def _answer(call: Call, bucket: Bucket, version: Version) -> Members:
    answer: dict[str, Any] = {
        "Location": f"http://{bucket.name}.localhost/{quote_path(call.members['Key'])}",
        "Bucket": bucket.name,
        "Key": call.members["Key"],
        "ETag": version.quoted_etag,
        **checksums.members(version.checksum),
    }
    return answer | ({"VersionId": version.version_id} if bucket.versioning == "Enabled" else {})


def remember(connection: Connection, upload: Upload, answer: Members) -> None:
    """Keeps the answer, and removes those that are too old: they are of uploads that were begun before that time, too."""
    limit = now() - _REMEMBERED
    oldest = uploads.id_prefix(limit * 1_000_000)
    connection.execute("DELETE FROM completed WHERE upload_id < ? AND at < ?", (oldest, limit))
    row = (upload.upload_id, upload.bucket, upload.key, now(), json.dumps(answer))
    connection.execute("INSERT INTO completed (upload_id, bucket, key, at, answer) VALUES (?, ?, ?, ?, ?)", row)
