"""Copies of what is at the remote: made there, if the object that they make may go there."""

from __future__ import annotations

from collections.abc import Mapping

from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.s3.whole import read_whole
from s3d.standalone.copy_source import CopySource
from s3d.standalone.version import key_bytes, key_text
from s3d.write_queue import facts
from s3d.write_queue.operation import HELD
from s3d.write_queue.queue import Queue, check_may_go

_KEYS = "x-amz-copy-source-server-side-encryption-"
_SIZE = "Content-Length"
_NOT_NOW = frozenset({429, 500, 502, 503, 504})
"""The remote may say it another time: without it, nobody knows whether the copy may be made."""


async def copy_at_remote(queue: Queue, request: S3Request, source: CopySource) -> S3Response:
    """The remote's answer to a CopyObject. AccessDenied if the object is to be held, or the policy refuses it. The source
    is looked at if there is a filter, a policy, or a bucket whose tag says so; else only tags in the request can say so.
    What is wrong with the source, the remote says, before what is wrong with the tags. RemoteUnreachable,
    ServiceUnavailable."""
    rules, bucket = queue.decisions.rules, request.bucket or ""
    target = key_bytes(request.key or "")
    await queue.buckets.require(bucket)
    try:
        tags = facts.tags_of_copy(request)
    except S3Error:
        if await _asked(queue, _about(request, "HeadObject", source)) is None:
            return await queue.after_push(request)
        raise
    head = None
    known = facts.of_remote_copy(request, target, (), None, tags, queue.buckets.tags(bucket))
    is_held = tags is None and queue.decisions.verdict(known).state == HELD
    if rules.upload is not None or rules.policy is not None or is_held:
        head = await _asked(queue, _about(request, "HeadObject", source))
        if head is None:
            return await queue.after_push(request)
        if tags is None:
            tags = await _tags(queue, _about(request, "GetObjectTagging", source))
    size = int(head.headers[_SIZE]) if head is not None and _SIZE in head.headers else None
    headers = () if head is None else tuple(head.headers.items())
    known = facts.of_remote_copy(request, target, headers, size, tags, queue.buckets.tags(bucket))
    check_may_go(queue.decisions.verdict(known) if head is None else await queue.decisions.asked(request, known))
    return await queue.after_push(request)


async def _asked(queue: Queue, request: S3Request) -> S3Response | None:
    """None: it is refused. RemoteUnreachable; ServiceUnavailable if the remote does not say."""
    response = None
    try:
        response = await read_whole(await queue.inner(request))
        status = response.status
    except RemoteUnreachable:
        raise
    except S3Error as error:  # an embedded store raises what a remote answers
        status = error.status
    if status in _NOT_NOW:
        message = "The remote S3 does not say now what the source of the copy is."
        raise S3Error("ServiceUnavailable", message, headers={"Retry-After": "5"})
    return response if status == 200 else None


async def _tags(queue: Queue, request: S3Request) -> Mapping[str, str] | None:
    """None: the remote does not say."""
    response = await _asked(queue, request)
    if response is None or not isinstance(response.body, bytes):
        return None
    found = codec.parse_response(request.operation, response, response.body)
    return {str(tag.get("Key")): str(tag.get("Value") or "") for tag in found.get("TagSet") or []}


def _about(request: S3Request, operation: str, source: CopySource) -> S3Request:
    """A question about the source of a copy."""
    members = {"Bucket": source.bucket, "Key": key_text(source.key), "VersionId": source.version_id}
    question = codec.build_request(operation, {name: value for name, value in members.items() if value is not None})
    for name, value in request.headers.items():
        if operation == "HeadObject" and name.lower().startswith(_KEYS):
            question.headers[name.lower().replace("copy-source-", "", 1)] = value
    question.request_id = request.request_id
    return question
