"""Lists: what the remote will say once everything is pushed."""

from __future__ import annotations

from functools import partial

from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable
from s3d.s3.message import S3Request, S3Response
from s3d.write_queue import list_objects as objects
from s3d.write_queue import list_uploads as multipart
from s3d.write_queue.operation import Change
from s3d.write_queue.owner import owner
from s3d.write_queue.queue import Queue


async def list_objects(queue: Queue, request: S3Request) -> S3Response:
    """ListObjects, ListObjectsV2. RemoteUnreachable, unless what is known here is to be the answer then."""
    members = codec.parse_request(request, b"")

    def changes(prefix: bytes, first: bytes, limit: int, inclusive: bool) -> list[Change]:
        return queue.journal.changes(request.bucket or "", prefix, first, limit, inclusive=inclusive)

    async def owner_of(*, ask: bool) -> str:
        return await owner(queue, request.bucket or "", ask=ask)

    try:
        return await objects.list_objects(request, members, queue.inner, changes, partial(owner_of, ask=True))
    except RemoteUnreachable:
        if queue.config.offline_list != "local":
            raise
    return await objects.list_local(request, members, changes, partial(owner_of, ask=False))


async def list_uploads(queue: Queue, request: S3Request) -> S3Response:
    """ListMultipartUploads."""

    async def own() -> set[str]:
        await queue.engine.uploads_known()
        return queue.journal.remote_uploads(request.bucket or "")

    members = codec.parse_request(request, b"")
    return await multipart.list_multipart_uploads(request, members, queue.inner, queue.store, own)
