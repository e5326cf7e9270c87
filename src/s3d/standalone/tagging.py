"""Tags of an object: PutObjectTagging, GetObjectTagging, DeleteObjectTagging."""

from __future__ import annotations

from s3d.local.database import Connection, unchanging
from s3d.s3 import codec
from s3d.s3.message import S3Response
from s3d.standalone import bucket as buckets
from s3d.standalone import tags
from s3d.standalone.lookup import readable, version_member
from s3d.standalone.store import Call, Members, Store


async def put_object_tagging(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, NoSuchKey, NoSuchVersion, MethodNotAllowed (delete marker), InvalidTag, BadRequest."""
    wanted = tags.of_members(call.members["Tagging"], tags.OBJECT_LIMIT)
    return codec.build_response("PutObjectTagging", await _write(store, call, wanted))


async def delete_object_tagging(store: Store, call: Call) -> S3Response:
    """Errors: as `put_object_tagging`."""
    return codec.build_response("DeleteObjectTagging", await _write(store, call, None))


async def get_object_tagging(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, NoSuchKey, NoSuchVersion, MethodNotAllowed (delete marker)."""
    with unchanging(store.reader):  # a version moves from one table to the other
        bucket = store.bucket(call.bucket)
        found = readable(store.reader, bucket, call.key, call.members.get("VersionId"))
    answer = {"TagSet": tags.members(found.tags), **version_member(bucket, found)}
    return codec.build_response("GetObjectTagging", answer)


async def _write(store: Store, call: Call, wanted: str | None) -> Members:
    """Gives one version these tags; the output members."""

    def change(connection: Connection) -> Members:
        bucket = buckets.find(connection, call.bucket)
        found = readable(connection, bucket, call.key, call.members.get("VersionId"), call.request.method)
        for table in ("object", "noncurrent"):  # it is in one of them; a seq is used once in a key
            connection.execute(
                f"UPDATE {table} SET tags = ? WHERE bucket = ? AND key = ? AND seq = ?",
                (wanted, bucket.id, call.key, found.seq),
            )
        if store.observer is not None:
            store.observer.tagged(connection, call, bucket, found, wanted)
        return version_member(bucket, found)

    return await store.database.change(change)
