"""Buckets: the remote's, and what was last known of them while it is away."""

from __future__ import annotations

import asyncio

from multidict import CIMultiDict

from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.s3.whole import read_whole
from s3d.standalone.version import key_bytes
from s3d.write_queue.accept import accepted
from s3d.write_queue.answers import STALE, STATE
from s3d.write_queue.queue import Queue

_AT_ONCE = 1000
"""Keys that are looked up at a time."""


async def list_buckets(queue: Queue, request: S3Request) -> S3Response:
    """The remote's list; while it is away the last one that it gave, marked as such."""
    plain = not request.query or all(name == "x-id" for name, _ in request.query)
    try:
        response = await queue.inner(request)
    except RemoteUnreachable:
        document = queue.buckets.last_list() if plain else None
        if document is None:
            raise
        headers = {"Content-Type": "application/xml", STALE: "true", "x-amz-request-id": request.request_id}
        return S3Response(200, CIMultiDict(headers), document)
    if plain and response.status == 200:
        response = await read_whole(response)
        assert isinstance(response.body, bytes)  # noqa: S101  so says `read_whole`
        queue.buckets.remember_list(response.body)
    return response


async def head_bucket(queue: Queue, request: S3Request) -> S3Response:
    """The remote's answer; while it is away a bucket that it had counts as there."""
    try:
        return await queue.inner(request)
    except RemoteUnreachable:
        if (request.bucket or "") not in queue.buckets:
            raise
        headers = {STALE: "true", STATE: "remote", "x-amz-request-id": request.request_id, "Server": "s3d"}
        return S3Response(200, CIMultiDict(headers))


async def delete_bucket(queue: Queue, request: S3Request) -> S3Response:
    """After everything for it was pushed: to the remote it may be empty now, and not then."""
    bucket = request.bucket or ""
    if any(change.version is not None for change in queue.journal.changes(bucket, b"", b"", _AT_ONCE)):
        raise S3Error("BucketNotEmpty", elements={"BucketName": bucket})
    await _push_all(queue, bucket, b"")
    queue.buckets.change(bucket)
    response = await queue.inner(request)
    if response.status != 409:  # BucketNotEmpty: it is there, and that is worth knowing while the remote is away
        await queue.buckets.forget(bucket)
    return response


async def list_versions(queue: Queue, request: S3Request) -> S3Response:
    """Versions are the remote's to give: what waits below the prefix is pushed first."""
    await _push_all(queue, request.bucket or "", key_bytes(request.parameter("prefix") or ""))
    return await queue.inner(request)


async def put_versioning(queue: Queue, request: S3Request) -> S3Response:
    """What is known of the bucket is not true any more."""
    queue.buckets.change(request.bucket or "")
    response = await queue.inner(request)
    await queue.buckets.refresh(request.bucket or "")
    return response


async def tag_bucket(queue: Queue, request: S3Request) -> S3Response:
    """PutBucketTagging, DeleteBucketTagging. What waits in the bucket is decided again before the answer."""
    call = await accepted(request)
    bucket = request.bucket or ""
    queue.buckets.change(bucket)
    try:
        response = await queue.inner(request)
    except RemoteUnreachable:
        await queue.buckets.retag(bucket, None)
        raise
    if 200 <= response.status < 300:
        found = (call.members.get("Tagging") or {}).get("TagSet") or []
        await queue.buckets.retag(bucket, {tag["Key"]: tag.get("Value") or "" for tag in found})
    elif response.status >= 500:
        await queue.buckets.retag(bucket, None)
    return response


async def _push_all(queue: Queue, bucket: str, prefix: bytes) -> None:
    """Returns when nothing waits for keys that begin with the prefix. RemoteUnreachable, S3Error."""
    wait = queue.config.max_wait
    try:
        async with asyncio.timeout(wait):
            while waiting := queue.journal.changes(bucket, prefix, b"", _AT_ONCE):
                await queue.push_keys(bucket, (change.key for change in waiting))
    except TimeoutError as error:
        message = f"What waits for this bucket in the write queue was not pushed within {wait:g} s."
        raise RemoteUnreachable(message) from error
