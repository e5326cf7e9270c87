"""Reading one object: from the queue where it decides, else from the remote."""

from __future__ import annotations

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone import tags
from s3d.standalone.version import key_bytes
from s3d.write_queue.accept import accepted, goes_straight
from s3d.write_queue.answers import pending
from s3d.write_queue.operation import Operation
from s3d.write_queue.queue import Queue, check_there, state_of

_TAG_COUNT = "x-amz-tagging-count"


async def read_object(queue: Queue, request: S3Request) -> S3Response:
    """GetObject, HeadObject, GetObjectAttributes."""
    operation = queue.content(request)
    if operation is None:
        return await _from_remote(queue, request)
    return await _read(queue, request, operation) or await read_object(queue, request)


async def get_tags(queue: Queue, request: S3Request) -> S3Response:
    """GetObjectTagging."""
    operation = queue.content(request)
    if operation is not None:
        return await _read(queue, request, operation) or await get_tags(queue, request)
    tag = _tag(queue, request)
    if tag is None or goes_straight(request):
        return await queue.inner(request)
    response = codec.build_response("GetObjectTagging", {"TagSet": tags.members(tag.tags)})
    return pending(response, request.request_id, state_of(tag))


async def _read(queue: Queue, request: S3Request, operation: Operation) -> S3Response | None:
    """None: the operation was pushed between the two looks."""
    if goes_straight(request):
        return await queue.after_push(request)
    check_there(operation, request.key or "")
    if request.operation == "GetObject":
        await queue.verify(operation)
    try:
        return await queue.answer(await accepted(request), state_of(operation))
    except S3Error as error:
        if error.code not in ("NoSuchKey", "NoSuchBucket") or queue.still_decides(operation):
            raise
    return None


async def _from_remote(queue: Queue, request: S3Request) -> S3Response:
    """The remote's answer, which does not know yet how many tags the object gets."""
    tag = _tag(queue, request)
    response = await queue.inner(request)
    if tag is not None and response.status in (200, 206) and not goes_straight(request):
        response.headers.popall(_TAG_COUNT, None)
        if count := len(tag.tag_set()):
            response.headers[_TAG_COUNT] = str(count)
    return response


def _tag(queue: Queue, request: S3Request) -> Operation | None:
    return queue.journal.tags(request.bucket or "", key_bytes(request.key or ""))
