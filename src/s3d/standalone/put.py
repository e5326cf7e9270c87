"""PutObject."""

from __future__ import annotations

from s3d.local.database import Connection
from s3d.local.receive import receive
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Response, body_length
from s3d.standalone import acl, checksums, conditions, history, metadata
from s3d.standalone import bucket as buckets
from s3d.standalone.store import Call, Members, Store

MAX_SIZE = 5 << 30
"""Bytes of one PUT or part: "Multipart upload limits", Amazon S3 User Guide."""


async def put_object(store: Store, call: Call) -> S3Response:
    """Errors: NoSuchBucket, those of bodies, metadata, checksums and conditional writes, EntityTooLarge."""
    if not isinstance(call.body, bytes):  # before the body is taken; where it is there, the change finds out
        store.bucket(call.bucket)
    if body_length(call.body) > MAX_SIZE:
        raise S3Error(
            "EntityTooLarge", elements={"ProposedSize": str(body_length(call.body)), "MaxSizeAllowed": str(MAX_SIZE)}
        )
    described = metadata.of_request(call)
    declared = checksums.of_body(call.request.headers)
    async with await receive(store.bodies, call.body, [declared.algorithm]) as new:
        declared.check(new.digests, new.md5)
        checksum = checksums.stored(declared.algorithm, new.digests[declared.algorithm.name])

        def change(connection: Connection, body: int | None) -> Members:
            bucket = buckets.find(connection, call.bucket)
            acl.check_upload(connection, bucket, described.acl)
            old = history.current(connection, bucket, call.key)
            conditions.check_write(call.members, call.key, old)
            etag = new.md5.hex()
            version = described.version(bucket.id, call.key, size=new.size, etag=etag, checksum=checksum, body=body)
            history.put(connection, store.bodies, bucket, version, old)
            if store.observer is not None:
                store.observer.wrote(connection, call, version)
            answer = {"ETag": version.quoted_etag, **checksums.members(checksum)}
            if bucket.versioning == "Enabled":
                answer["VersionId"] = version.version_id
            return answer

        return codec.build_response("PutObject", await new.change(change))
