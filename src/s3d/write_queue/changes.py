"""Changing objects: accepted here where that can be promised, else sent to the remote behind what waits for the key."""

from __future__ import annotations

import contextlib
from typing import Any

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response, body_length
from s3d.standalone import copy_source, tags
from s3d.standalone.copy_source import CopySource
from s3d.standalone.version import check_length, key_bytes
from s3d.write_queue.accept import accepted, goes_straight
from s3d.write_queue.operation import HELD, PENDING, Operation
from s3d.write_queue.queue import Queue, check_may_go, check_there
from s3d.write_queue.remote_copy import copy_at_remote

_CONDITIONS = ("VersionId", "ETag", "LastModifiedTime", "Size")
"""Of an entry of DeleteObjects."""


async def put_object(queue: Queue, request: S3Request) -> S3Response:
    """An object that is larger than the queue may be goes straight to the remote, which is a stronger promise."""
    size = body_length(request.body)
    if goes_straight(request):
        return await straight(queue, request, size)
    await queue.buckets.require(request.bucket or "")
    verdict = queue.decisions.of_request(request, size)
    if size > queue.config.max_size and verdict.state != HELD:
        return await queue.after_push(request)
    call = await accepted(request)
    with await queue.reserve(request, verdict, size):
        return await queue.accept(call)


async def straight(queue: Queue, request: S3Request, size: int | None) -> S3Response:
    """The remote's answer to a request that makes an object there. AccessDenied if that is to be held. ``size`` None: not
    known yet."""
    await queue.buckets.require(request.bucket or "")
    check_may_go(queue.decisions.of_request(request, size))
    return await queue.after_push(request)


async def delete_object(queue: Queue, request: S3Request) -> S3Response:
    """What is not there is deleted already, here and at the remote."""
    if goes_straight(request):
        return await queue.after_push(request)
    await queue.buckets.require(request.bucket or "")
    call = await accepted(request)
    call.is_usual = queue.decisions.of_delete(call.bucket).is_usual
    return await queue.accept(call)


async def delete_objects(queue: Queue, request: S3Request) -> S3Response:
    """With a version or a condition in it, all of it goes to the remote."""
    await queue.buckets.require(request.bucket or "")
    call = await accepted(request)
    entries: list[dict[str, Any]] = call.members["Delete"].get("Objects") or []
    if not goes_straight(request) and not any(entry.get(name) is not None for entry in entries for name in _CONDITIONS):
        call.is_usual = queue.decisions.of_delete(call.bucket).is_usual
        return await queue.accept(call)
    await queue.push_keys(request.bucket or "", (key_bytes(entry["Key"]) for entry in entries))
    return await queue.inner(request)


async def tag_object(queue: Queue, request: S3Request) -> S3Response:
    """PutObjectTagging, DeleteObjectTagging. Whether there is an object that is not here, only the remote knows."""
    operation = queue.content(request)
    if operation is None or goes_straight(request):
        return await queue.after_push(request)
    check_there(operation, request.key or "")
    call = await accepted(request)
    version = queue.journal.version(operation)
    if version is None:
        return await queue.after_push(request)  # it was pushed between the two looks
    members = call.members.get("Tagging")
    wanted = tags.of_members(members, tags.OBJECT_LIMIT) if members else None
    verdict = await queue.decisions.of_tags(request, version, wanted)
    call.request.said = request.said
    begins = verdict.state == HELD and operation.state == PENDING
    with await queue.held_room.reserve(operation.size) if begins else contextlib.nullcontext():
        try:
            return await queue.accept(call)
        except S3Error as error:
            if error.code not in ("NoSuchKey", "SlowDown") or queue.still_decides(operation):
                raise
    return await tag_object(queue, request)  # it was pushed between the two looks


async def copy_object(queue: Queue, request: S3Request) -> S3Response:
    """Here if the source is here."""
    source = source_of(request)
    operation = await local_source(queue, request, source)
    if operation is None:
        return await copy_at_remote(queue, request, source)
    await queue.buckets.require(request.bucket or "")
    version = queue.journal.version(operation)
    if version is None:
        return await copy_at_remote(queue, request, source)  # it was pushed between the two looks
    verdict = await queue.decisions.of_copy(request, version)
    with await queue.reserve(request, verdict, operation.size):
        try:
            return await queue.accept(await accepted(request))
        except S3Error as error:
            if error.code != "NoSuchKey" or queue.still_decides(operation):
                raise
    return await copy_object(queue, request)  # the source was pushed between the two looks


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
