"""Multipart uploads that were begun here: kept whole, until they are completed, in the queue's store. Those that were begun
at the remote stay there."""

from __future__ import annotations

from s3d.local.database import Connection
from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response, body_length
from s3d.s3.whole import read_whole
from s3d.standalone import parts
from s3d.standalone.copy_source import CopySource
from s3d.standalone.ranges import copy_range
from s3d.standalone.stored_body import StoredBody
from s3d.standalone.upload import COLUMNS, Upload
from s3d.standalone.version import key_text
from s3d.write_queue.accept import accepted, goes_straight
from s3d.write_queue.answers import pending
from s3d.write_queue.changes import local_source, source_of, straight
from s3d.write_queue.complete_straight import complete_straight
from s3d.write_queue.decisions import USUALLY, Verdict
from s3d.write_queue.queue import Queue, check_may_go

_IS_HERE = "SELECT 1 FROM upload WHERE upload_id = ?1 UNION ALL SELECT 1 FROM completed WHERE upload_id = ?1"
_FORGET_REQUESTS = "DELETE FROM upload_request WHERE upload NOT IN (SELECT id FROM upload)"
_KEYS = ("x-amz-server-side-encryption-customer-", "x-amz-copy-source-server-side-encryption-customer-")
_CONDITIONS = {
    "x-amz-copy-source-if-match": "If-Match",
    "x-amz-copy-source-if-none-match": "If-None-Match",
    "x-amz-copy-source-if-modified-since": "If-Modified-Since",
    "x-amz-copy-source-if-unmodified-since": "If-Unmodified-Since",
}


async def create_upload(queue: Queue, request: S3Request) -> S3Response:
    if goes_straight(request):
        return await straight(queue, request, None)
    await queue.buckets.require(request.bucket or "")
    return await queue.answer(await accepted(request))


async def upload_part(queue: Queue, request: S3Request) -> S3Response:
    """Raises EntityTooLarge for the part with which the upload outgrows the queue."""
    if not _is_here(queue, request):
        return await queue.inner(request)
    _check_no_keys(request)
    size = body_length(request.body)
    _check_fits(queue, request, size)
    call = await accepted(request)
    with await queue.room.reserve(size, files=0):
        return await _settled(queue, await queue.answer(call))


async def upload_part_copy(queue: Queue, request: S3Request) -> S3Response:
    """A part of an object that is here, or at the remote: then its bytes are fetched."""
    if not _is_here(queue, request):
        source = source_of(request)
        await queue.push(source.bucket, source.key)
        return await queue.inner(request)
    _check_no_keys(request)
    source = source_of(request)
    operation = await local_source(queue, request, source)
    if operation is None:
        return await _fetch_part(queue, request, source)
    _check_fits(queue, request, operation.size)
    with await queue.room.reserve(operation.size, files=0):
        try:
            return await _settled(queue, await queue.answer(await accepted(request)))
        except S3Error as error:
            if error.code != "NoSuchKey" or queue.still_decides(operation):
                raise
    return await upload_part_copy(queue, request)  # the source was pushed between the two looks


async def complete_upload(queue: Queue, request: S3Request) -> S3Response:
    """With a condition, the remote completes it: only it can judge that."""
    if not _is_here(queue, request):
        return await queue.after_push(request)
    size, verdict = await _what_it_becomes(queue, request)
    if goes_straight(request):
        _check_no_keys(request)
        check_may_go(verdict)
        return await complete_straight(queue, request)
    with await queue.reserve(request, verdict, size, came=size):
        return await queue.accept(await accepted(request))


async def abort_upload(queue: Queue, request: S3Request) -> S3Response:
    if not _is_here(queue, request):
        return await queue.inner(request)
    response = await queue.answer(await accepted(request))
    queue.store.database.change_later(forget_requests)
    return await _settled(queue, response)


async def list_parts(queue: Queue, request: S3Request) -> S3Response:
    if not _is_here(queue, request):
        return await queue.inner(request)
    return await queue.answer(await accepted(request))


def _is_here(queue: Queue, request: S3Request) -> bool:
    upload_id = request.parameter("uploadId") or ""
    return upload_id.isascii() and queue.store.reader.execute(_IS_HERE, (upload_id,)).fetchone() is not None


async def _what_it_becomes(queue: Queue, request: S3Request) -> tuple[int, Verdict]:
    """Bytes of all parts that are here, and what becomes of the object. Of an upload that is completed already: nothing."""
    upload_id = request.parameter("uploadId") or ""
    query = f"SELECT {COLUMNS} FROM upload WHERE upload_id = ?"
    row = queue.store.reader.execute(query, (upload_id,)).fetchone()
    if row is None:
        return 0, USUALLY
    size = _size(queue, upload_id)
    return size, await queue.decisions.of_upload(request, Upload(*row), size)


def _size(queue: Queue, upload_id: str | None) -> int:
    query = "SELECT coalesce(sum(part.size), 0) FROM upload JOIN part ON part.upload = upload.id WHERE upload_id = ?"
    return int(queue.store.reader.execute(query, (upload_id,)).fetchone()[0])


def _check_no_keys(request: S3Request) -> None:
    if any(name.lower().startswith(_KEYS) for name in request.headers):
        message = "The queue took this upload in and cannot use a customer's keys: begin it with them."
        raise S3Error("NotImplemented", message)


def _check_fits(queue: Queue, request: S3Request, size: int) -> None:
    """Raises EntityTooLarge."""
    there = _size(queue, request.parameter("uploadId"))
    if there + size > queue.config.max_size:
        elements = {"ProposedSize": str(there + size), "MaxSizeAllowed": str(queue.config.max_size)}
        raise S3Error("EntityTooLarge", "The upload is larger than the write queue may be.", elements=elements)


async def _settled(queue: Queue, response: S3Response) -> S3Response:
    queue.settle()
    return response


def forget_requests(connection: Connection) -> None:
    """Removes what is kept beside uploads that are gone; a crash may leave it."""
    connection.execute(_FORGET_REQUESTS)


# A part from an object at the remote.


async def _fetch_part(queue: Queue, request: S3Request, source: CopySource) -> S3Response:
    """Gets the bytes and takes them in as the part. Raises what the remote says, RemoteUnreachable."""
    got = await queue.inner(_get(request, source))
    if got.status == 304:  # a copy has one outcome only for conditions that do not hold
        raise S3Error("PreconditionFailed")
    if got.status == 405:
        await read_whole(got)
        message = "The source of a copy request may not specifically refer to a delete marker by version id."
        raise S3Error("InvalidRequest", message)
    if got.status not in (200, 206, 416):
        return await read_whole(got)
    async with StoredBody(got.body, int(got.headers["Content-Length"])) as received:
        _check_range(request, got)
        _check_fits(queue, request, received.length)
        call = await accepted(request)
        with await queue.room.reserve(received.length, files=0):
            response = await parts.keep_copied(queue.store, call, received, {})
            return await _settled(queue, pending(response, request.request_id))


def _check_range(request: S3Request, got: S3Response) -> None:
    """What is copied must lie within the object, what is read need not. Raises InvalidArgument."""
    wanted = request.headers.get("x-amz-copy-source-range")
    if wanted is not None:
        whole = got.headers.get("Content-Range", "").rpartition("/")[2] or got.headers["Content-Length"]
        copy_range(wanted, int(whole) if whole.isdecimal() and got.status != 416 else 0)


def _get(request: S3Request, source: CopySource) -> S3Request:
    members = {"Bucket": source.bucket, "Key": key_text(source.key), "VersionId": source.version_id}
    wanted = codec.build_request("GetObject", {name: value for name, value in members.items() if value is not None})
    for name, value in request.headers.items():
        lower = name.lower()
        if lower in _CONDITIONS:
            wanted.headers[_CONDITIONS[lower]] = value
        elif lower == "x-amz-copy-source-range":
            wanted.headers["Range"] = value
        elif lower.startswith("x-amz-copy-source-server-side-encryption-"):
            wanted.headers[lower.replace("copy-source-", "", 1)] = value
    wanted.request_id = request.request_id
    return wanted
