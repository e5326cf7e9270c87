"""CreateMultipartUpload and AbortMultipartUpload, and uploads that nobody finishes."""

from __future__ import annotations

import time

from s3d.local.database import Connection
from s3d.s3 import codec
from s3d.s3.message import S3Response
from s3d.standalone import acl, checksums, conditions, metadata
from s3d.standalone import bucket as buckets
from s3d.standalone import upload as uploads
from s3d.standalone.store import Call, Members, Store, now
from s3d.standalone.upload import Upload

ABANDONED_AFTER = 7 * 86400
"""Seconds without a new part after which an upload is reported: the age of the lifecycle rules that S3's guide shows for
them ("Configuring a bucket lifecycle configuration to delete incomplete multipart uploads")."""

# A new id: microseconds since 1970, or the next after the last one. It is never used again, also when the clock was set
# back: sqlite_sequence keeps the highest (AUTOINCREMENT).
_NEW_ID = "SELECT max(?, 1 + coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'upload'), 0))"
_WRITE = f"INSERT INTO upload ({uploads.COLUMNS}) VALUES ({', '.join('?' * 11)})"
_ABANDONED = """
SELECT count(DISTINCT upload.id), coalesce(sum(part.size), 0) FROM upload LEFT JOIN part ON part.upload = upload.id
WHERE upload.initiated <= :limit
  AND NOT EXISTS (SELECT 1 FROM part AS newer WHERE newer.upload = upload.id AND newer.modified > :limit)
"""


async def create_multipart_upload(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, those of metadata, InvalidRequest for a checksum that S3 does not have for parts."""
    store.bucket(call.bucket)
    described = metadata.of_request(call)
    algorithm, checksum_type = checksums.of_upload(call.members)

    def change(connection: Connection) -> Upload:
        bucket = buckets.find(connection, call.bucket)
        acl.check_upload(connection, bucket, described.acl)
        number = connection.execute(_NEW_ID, (time.time_ns() // 1000,)).fetchone()[0]
        new = Upload(
            id=number,
            upload_id=uploads.new_upload_id(number),
            bucket=bucket.id,
            key=call.key,
            initiated=now(),
            headers=described.headers,
            tags=described.tags,
            storage_class=described.storage_class,
            acl=described.acl,
            algorithm=algorithm,
            checksum_type=checksum_type,
        )
        connection.execute(_WRITE, _row(new))
        if store.observer is not None:
            store.observer.begun(connection, call, number)
        return new

    new = await store.database.change(change)
    answer = {"Bucket": call.bucket, "Key": call.members["Key"], "UploadId": new.upload_id, **new.members}
    return codec.build_response("CreateMultipartUpload", answer)


async def abort_multipart_upload(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, NoSuchUpload, PreconditionFailed."""

    def change(connection: Connection) -> Members:
        bucket = buckets.find(connection, call.bucket)
        found = uploads.find(connection, bucket, call.key, call.members["UploadId"])
        initiated = call.members.get("IfMatchInitiatedTime")
        if initiated is not None and int(initiated.timestamp()) != found.initiated:
            raise conditions.failed("x-amz-if-match-initiated-time")
        uploads.remove(connection, store.bodies, found.id)
        return {}

    return codec.build_response("AbortMultipartUpload", await store.database.change(change))


def abandoned(store: Store, older_than_seconds: int) -> tuple[int, int]:
    """How many uploads were begun, and got their last part, at least so long ago; and the bytes of their parts."""
    count, size = store.reader.execute(_ABANDONED, {"limit": now() - older_than_seconds}).fetchone()
    return count, size


def _row(upload: Upload) -> tuple[object, ...]:
    u = upload
    first = (u.id, u.upload_id, u.bucket, u.key, u.initiated, u.headers, u.tags, u.storage_class, u.acl)
    return (*first, u.algorithm, u.checksum_type)
