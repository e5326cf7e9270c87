"""Changing objects: accepted here where that can be promised, else sent to the remote behind what waits for the key."""

from __future__ import annotations

from typing import Any

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response, body_length
from s3d.standalone import copy_source
from s3d.standalone.copy_source import CopySource
from s3d.standalone.version import check_length, key_bytes
from s3d.write_queue.accept import accepted, goes_straight
from s3d.write_queue.operation import Operation
from s3d.write_queue.queue import Queue, check_there

_CONDITIONS = ("VersionId", "ETag", "LastModifiedTime", "Size")
"""Of an entry of DeleteObjects."""


async def put_object(queue: Queue, request: S3Request) -> S3Response:
    """An object that is larger than the queue may be goes straight to the remote, which is a stronger promise."""
    size = body_length(request.body)
    if goes_straight(request) or size > queue.config.max_size:
        return await queue.after_push(request)
    await queue.buckets.require(request.bucket or "")
    call = await accepted(request)
    with await queue.room.reserve(size):
        return await queue.accept(call)


async def delete_object(queue: Queue, request: S3Request) -> S3Response:
    """What is not there is deleted already, here and at the remote."""
    if goes_straight(request):
        return await queue.after_push(request)
    await queue.buckets.require(request.bucket or "")
    return await queue.accept(await accepted(request))


async def delete_objects(queue: Queue, request: S3Request) -> S3Response:
    """With a version or a condition in it, all of it goes to the remote."""
    await queue.buckets.require(request.bucket or "")
    call = await accepted(request)
    entries: list[dict[str, Any]] = call.members["Delete"].get("Objects") or []
    if not goes_straight(request) and not any(entry.get(name) is not None for entry in entries for name in _CONDITIONS):
        return await queue.accept(call)
    await queue.push_keys(request.bucket or "", (key_bytes(entry["Key"]) for entry in entries))
    return await queue.inner(request)


async def tag_object(queue: Queue, request: S3Request) -> S3Response:
    """PutObjectTagging, DeleteObjectTagging. Whether there is an object that is not here, only the remote knows."""
    operation = queue.content(request)
    if operation is None or goes_straight(request):
        return await queue.after_push(request)
    check_there(operation, request.key or "")
    try:
        return await queue.accept(await accepted(request))
    except S3Error as error:
        if error.code not in ("NoSuchKey", "SlowDown") or queue.content(request) is not None:
            raise
    return await queue.after_push(request)  # it was pushed between the two looks


async def copy_object(queue: Queue, request: S3Request) -> S3Response:
    """Here if the source is here."""
    source = source_of(request)
    operation = await local_source(queue, request, source)
    if operation is None:
        return await queue.after_push(request)
    await queue.buckets.require(request.bucket or "")
    with await queue.room.reserve(operation.size):
        try:
            return await queue.accept(await accepted(request))
        except S3Error as error:
            if error.code != "NoSuchKey" or queue.journal.content(source.bucket, source.key) is not None:
                raise
    return await queue.after_push(request)  # the source was pushed between the two looks


def source_of(request: S3Request) -> CopySource:
    """Raises InvalidArgument."""
    return copy_source.parse(request.headers.get("x-amz-copy-source", ""))


async def local_source(queue: Queue, request: S3Request, source: CopySource) -> Operation | None:
    """The operation whose object is copied; None: it is at the remote, and all that waits for it was pushed. Raises
    NoSuchKey for one that is deleted here."""
    check_length(source.key)
    operation = queue.journal.content(source.bucket, source.key)
    if operation is None or source.version_id is not None or goes_straight(request):
        await queue.push(source.bucket, source.key)
        return None
    check_there(operation, source.key.decode("utf-8", "surrogateescape"))
    return operation
