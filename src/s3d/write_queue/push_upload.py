"""Pushing a multipart upload, with the client's own part boundaries: its ETag depends on them. It goes on behind the parts
that the remote confirmed, also after a restart."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from s3d.local.bodies import Segment
from s3d.s3 import codec
from s3d.s3.codec.remote_error import is_error
from s3d.standalone.upload import Part
from s3d.standalone.version import Version, key_text
from s3d.write_queue.operation import Operation, Pushed
from s3d.write_queue.outcome import Refusal, refusal
from s3d.write_queue.push_requests import headers_of, pushed, request_of
from s3d.write_queue.pushed_body import check, damage, request_body

if TYPE_CHECKING:
    from s3d.write_queue.push import Pusher

_PARALLEL = 4
"""Parts of one upload at a time."""
_BEGIN_ANEW = frozenset({"NoSuchUpload", "InvalidPart", "InvalidPartOrder"})
"""The remote does not have the upload, or not the parts that it confirmed."""

PartBody = tuple[list[Segment], list[bytes]]


async def push_upload(pusher: Pusher, operation: Operation, version: Version) -> Pushed:
    """Raises Refusal, RemoteUnreachable."""
    try:
        return await _push(pusher, operation, version)
    except Refusal as error:
        if error.code not in _BEGIN_ANEW:
            raise
        # Aborted at the remote, or completed by a request whose answer was lost: then it is there.
        await pusher.journal.forget_upload(operation)
        if (found := await pusher.look(operation, version)) is not None:
            return found
        raise Refusal(error.code, "The upload is begun anew.", error.status) from error


async def _push(pusher: Pusher, operation: Operation, version: Version) -> Pushed:
    parts = pusher.journal.parts(version)
    bodies = _bodies(pusher, version, parts)
    upload_id = operation.remote_upload or await _begin(pusher, operation, version)
    there = pusher.journal.pushed_parts(operation) if operation.remote_upload else {}

    async def confirmed(number: int, etag: str) -> None:
        await pusher.journal.part_pushed(operation, number, etag)

    pairs = list(zip(parts, bodies, strict=True))
    entries = await send_parts(pusher, operation, upload_id, pairs, there, confirmed)
    return await _complete(pusher, operation, version, upload_id, entries)


def _bodies(pusher: Pusher, version: Version, parts: Sequence[Part]) -> list[PartBody]:
    """Of each part what is read, and its MD5; a part of no bytes has no body. Raises Refusal if one is missing."""
    segments, digests = pusher.journal.segments(version), pusher.journal.digests(version)
    found = iter(zip(segments, digests, strict=True))
    bodies: list[PartBody] = []
    for part in parts:
        body = next(found, None) if part.body is not None else None
        if part.body is not None and body is None:
            raise damage("a body is missing")
        bodies.append(([body[0]], [body[1]]) if body is not None else ([], []))
    return bodies


async def send_parts(
    pusher: Pusher,
    operation: Operation,
    upload_id: str,
    parts: Sequence[tuple[Part, PartBody]],
    there: dict[int, str],
    confirmed: Callable[[int, str], Awaitable[None]],
) -> list[dict[str, Any]]:
    """The entries of CompleteMultipartUpload. ``there`` are the ETags of parts that the remote has already; ``confirmed``
    is told of each other one. Raises Refusal, RemoteUnreachable."""
    algorithm = _algorithm(operation)
    turn = asyncio.Semaphore(_PARALLEL)

    async def send(part: Part, body: PartBody) -> None:
        async with turn:
            await check(pusher.bodies, *body)
            there[part.number] = etag = await _part(pusher, operation, upload_id, part, body[0], algorithm)
            await confirmed(part.number, etag)

    try:
        async with asyncio.TaskGroup() as group:
            for part, body in parts:
                if part.number not in there:
                    group.create_task(send(part, body))
    except BaseExceptionGroup as errors:  # one is as good as the other
        raise errors.exceptions[0] from errors
    return [_entry(part, there[part.number], algorithm) for part, _ in parts]


async def _begin(pusher: Pusher, operation: Operation, version: Version) -> str:
    with pusher.beginning():
        upload_id = await create(pusher, operation, version)
        await pusher.journal.upload_begun(operation, upload_id)
    return upload_id


async def create(pusher: Pusher, operation: Operation, version: Version) -> str:
    """The remote's UploadId. Raises Refusal, RemoteUnreachable."""
    response = await pusher.send(request_of(operation, "CreateMultipartUpload", headers_of(operation, version)))
    assert isinstance(response.body, bytes)  # noqa: S101  `send` reads it
    upload_id: str = codec.parse_response("CreateMultipartUpload", response, response.body)["UploadId"]
    return upload_id


async def _part(
    pusher: Pusher, operation: Operation, upload_id: str, part: Part, segments: list[Segment], algorithm: str | None
) -> str:
    """The remote's ETag of the part."""
    members = _members(operation) | {"UploadId": upload_id, "PartNumber": part.number}
    members |= _checksum(part, algorithm)
    request = codec.build_request("UploadPart", members)
    request.headers["Content-MD5"] = base64.b64encode(bytes.fromhex(part.etag)).decode()
    request.body = await request_body(pusher.bodies, segments, pusher.bandwidth)
    response = await pusher.send(request)
    etag = response.headers.get("ETag", "")
    if etag.strip('"').lower() != part.etag and "x-amz-server-side-encryption" not in response.headers:
        message = f"The remote's ETag of part {part.number} is {etag}, not {part.quoted_etag}."
        raise Refusal("Unverified", message, 200, ambiguous=True)
    return etag


async def _complete(
    pusher: Pusher, operation: Operation, version: Version, upload_id: str, entries: list[dict[str, Any]]
) -> Pushed:
    document = {"UploadId": upload_id, "MultipartUpload": {"Parts": entries}}
    response = await pusher.send(codec.build_request("CompleteMultipartUpload", _members(operation) | document))
    assert isinstance(response.body, bytes)  # noqa: S101  `send` reads it
    if is_error(response.body):  # S3 may say 200 before it knows
        error = refusal(response)
        raise error if error.permanent or error.code in _BEGIN_ANEW else error.unsure()
    answer = codec.parse_response("CompleteMultipartUpload", response, response.body)
    await pusher.confirm(operation, version, response, answer.get("ETag"))
    etag = (answer.get("ETag") or version.etag).strip('"').lower()
    checksum = next((f"{name[8:]}:{value}" for name, value in answer.items() if _is_checksum(name)), None)
    return Pushed(pushed(response).version_id, etag, checksum, upload_id)


def _is_checksum(member: str) -> bool:
    return member.startswith("Checksum") and member != "ChecksumType"


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
