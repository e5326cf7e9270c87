"""Pushing a multipart upload, with the client's own part boundaries: its ETag depends on them. It goes on behind the parts
that the remote confirmed, also after a restart."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

from s3d.local.bodies import Segment
from s3d.s3 import codec
from s3d.s3.codec.remote_error import is_error
from s3d.standalone.upload import Part
from s3d.standalone.version import Version, key_text
from s3d.write_queue.operation import Operation, Pushed
from s3d.write_queue.outcome import Refusal, refusal
from s3d.write_queue.push_requests import headers_of, pushed, request_of
from s3d.write_queue.pushed_body import check, request_body

if TYPE_CHECKING:
    from s3d.write_queue.push import Pusher

_PARALLEL = 4
"""Parts of one upload at a time."""


async def push_upload(pusher: Pusher, operation: Operation, version: Version) -> Pushed:
    """Raises Refusal, RemoteUnreachable."""
    try:
        return await _push(pusher, operation, version)
    except Refusal as error:
        if error.code != "NoSuchUpload":
            raise
        # Aborted at the remote, or completed by a request whose answer was lost: then it is there.
        await pusher.journal.upload_begun(operation, None)
        if (found := await pusher.look(operation, version)) is not None:
            return found
        raise Refusal(error.code, "The upload is begun anew.", error.status) from error


async def _push(pusher: Pusher, operation: Operation, version: Version) -> Pushed:
    parts, segments = pusher.journal.parts(version), list(pusher.journal.segments(version))
    await check(pusher.bodies, segments, pusher.journal.digests(version))
    upload_id = operation.remote_upload or await _begin(pusher, operation, version)
    there = pusher.journal.pushed_parts(operation) if operation.remote_upload else {}
    algorithm = _algorithm(operation)
    turn = asyncio.Semaphore(_PARALLEL)

    async def send(part: Part, segment: Segment | None) -> None:
        async with turn:
            there[part.number] = await _part(pusher, operation, upload_id, part, segment, algorithm)

    bodies = iter(segments)
    by_part = [(part, next(bodies) if part.body is not None else None) for part in parts]
    try:
        async with asyncio.TaskGroup() as group:
            for part, segment in by_part:
                if part.number not in there:
                    group.create_task(send(part, segment))
    except BaseExceptionGroup as errors:  # one is as good as the other
        raise errors.exceptions[0] from errors
    return await _complete(
        pusher, operation, version, upload_id, [_entry(p, there[p.number], algorithm) for p in parts]
    )


async def _begin(pusher: Pusher, operation: Operation, version: Version) -> str:
    request = request_of(operation, "CreateMultipartUpload", headers_of(operation, version))
    with pusher.beginning():
        response = await pusher.send(request)
        assert isinstance(response.body, bytes)  # noqa: S101  `send` reads it
        upload_id: str = codec.parse_response("CreateMultipartUpload", response, response.body)["UploadId"]
        await pusher.journal.upload_begun(operation, upload_id)
    return upload_id


async def _part(
    pusher: Pusher, operation: Operation, upload_id: str, part: Part, segment: Segment | None, algorithm: str | None
) -> str:
    """The remote's ETag of the part."""
    members = _members(operation) | {"UploadId": upload_id, "PartNumber": part.number}
    members |= _checksum(part, algorithm)
    request = codec.build_request("UploadPart", members)
    request.headers["Content-MD5"] = base64.b64encode(bytes.fromhex(part.etag)).decode()
    request.body = await request_body(pusher.bodies, [segment] if segment is not None else [], pusher.bandwidth)
    response = await pusher.send(request)
    etag = response.headers.get("ETag", "")
    if etag.strip('"').lower() != part.etag and "x-amz-server-side-encryption" not in response.headers:
        message = f"The remote's ETag of part {part.number} is {etag}, not {part.quoted_etag}."
        raise Refusal("Unverified", message, 200, ambiguous=True)
    await pusher.journal.part_pushed(operation, part.number, etag)
    return etag


async def _complete(
    pusher: Pusher, operation: Operation, version: Version, upload_id: str, entries: list[dict[str, Any]]
) -> Pushed:
    document = {"UploadId": upload_id, "MultipartUpload": {"Parts": entries}}
    response = await pusher.send(codec.build_request("CompleteMultipartUpload", _members(operation) | document))
    assert isinstance(response.body, bytes)  # noqa: S101  `send` reads it
    if is_error(response.body):  # S3 may say 200 before it knows
        raise refusal(response)
    answer = codec.parse_response("CompleteMultipartUpload", response, response.body)
    await pusher.confirm(operation, version, response, answer.get("ETag"))
    confirmed = pushed(response)
    return Pushed(confirmed.version_id, version.etag, version.checksum)


def _members(operation: Operation) -> dict[str, Any]:
    return {"Bucket": operation.bucket, "Key": key_text(operation.key)}


def _entry(part: Part, etag: str, algorithm: str | None) -> dict[str, Any]:
    return {"PartNumber": part.number, "ETag": etag, **_checksum(part, algorithm)}


def _algorithm(operation: Operation) -> str | None:
    """The algorithm that the client asked for."""
    headers = {name.lower(): value for name, value in operation.header_list()}
    return headers.get("x-amz-checksum-algorithm", "").upper() or None


def _checksum(part: Part, algorithm: str | None) -> dict[str, str]:
    name, _, value = (part.checksum or "").partition(":")
    return {f"Checksum{name}": value} if algorithm is not None and name == algorithm else {}
