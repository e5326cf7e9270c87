"""CompleteMultipartUpload with a condition, of an upload that is here: the remote has to judge it.

    what waits for the key is pushed ──> an upload at the remote, with these parts ──> completed there, with the condition

Until it is completed there, the upload is here as it was: a condition that does not hold, or an outage, costs nothing but
the repetition. The one at the remote is in the journal as abandoned from its beginning: whatever ends this, it is aborted.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time

from s3d.local.database import Connection
from s3d.s3 import codec
from s3d.s3.codec.remote_error import is_error
from s3d.s3.errors import STATUS, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone import complete
from s3d.standalone import upload as uploads
from s3d.standalone.complete import Prepared
from s3d.standalone.upload import Part
from s3d.standalone.version import key_text
from s3d.write_queue.accept import accepted
from s3d.write_queue.answers import STATE
from s3d.write_queue.observer import Accepted
from s3d.write_queue.operation import PENDING, UPLOAD, Abandoned, Operation
from s3d.write_queue.outcome import Refusal
from s3d.write_queue.push_upload import PartBody, create, send_parts
from s3d.write_queue.pushed_body import DAMAGED
from s3d.write_queue.queue import Queue

_CONDITIONS = ("if-match", "if-none-match")
_HEADERS = "SELECT headers FROM upload_request WHERE upload = ?"
_IS_COMPLETED = "SELECT 1 FROM completed WHERE upload_id = ?"


async def complete_straight(queue: Queue, request: S3Request) -> S3Response:
    """The remote's answer. One at a time for each upload; a client that goes away does not end it. Raises what is wrong
    with the request, RemoteUnreachable, what the remote says to the parts."""
    call = await accepted(request)
    upload_id = call.members["UploadId"]
    while (task := queue.completing.get(upload_id)) is not None:
        await asyncio.wait([task])
    task = asyncio.get_running_loop().create_task(_complete(queue, request, call))
    queue.completing[upload_id] = task
    task.add_done_callback(lambda done: _finished(queue, upload_id, done))
    return await asyncio.shield(task)


def _finished(queue: Queue, upload_id: str, task: asyncio.Task[S3Response]) -> None:
    del queue.completing[upload_id]
    if not task.cancelled():
        task.exception()  # whoever waited for it has got it


async def _complete(queue: Queue, request: S3Request, call: Accepted) -> S3Response:
    if queue.store.reader.execute(_IS_COMPLETED, (call.members["UploadId"],)).fetchone():
        return await queue.answer(call, "pending" if queue.content(request) else "remote")
    await queue.push(call.bucket, call.key)
    prepared = complete.prepare(queue.store.reader, queue.store.bucket(call.bucket), call)
    try:
        response = await _at_the_remote(queue, request, call, prepared)
    except Refusal as error:
        if (
            error.code == DAMAGED
        ):  # or not there any more, because its client has sent a part again, or ended the upload
            again = complete.prepare(queue.store.reader, queue.store.bucket(call.bucket), call)
            if again.parts != prepared.parts:
                raise S3Error("ConditionalRequestConflict") from error
        raise _as_answer(error) from error
    assert isinstance(response.body, bytes)  # noqa: S101  `ask` reads it
    if 200 <= response.status < 300 and not is_error(response.body):
        await _forget(queue, call, prepared, response)
    response.headers[STATE] = "remote"
    return response


async def _at_the_remote(queue: Queue, request: S3Request, call: Accepted, prepared: Prepared) -> S3Response:
    """What it answers to CompleteMultipartUpload. Raises Refusal, RemoteUnreachable."""
    pusher, aborter = queue.engine.pusher, queue.engine.aborter
    operation = _operation(queue, call, prepared)
    pairs = [(part, _body(queue, prepared, part)) for part in prepared.parts]
    with pusher.beginning():
        upload_id = await create(pusher, operation, prepared.version)
        aborter.in_use.add(upload_id)
        await queue.journal.abandon(Abandoned(call.bucket, call.key, upload_id))
    try:
        entries = await send_parts(pusher, operation, upload_id, pairs, {}, _nothing)
        document = {"UploadId": upload_id, "MultipartUpload": {"Parts": entries}}
        members = {"Bucket": call.bucket, "Key": key_text(call.key), **document}
        completing = codec.build_request("CompleteMultipartUpload", members)
        completing.headers.extend((n, v) for n, v in request.headers.items() if n.lower() in _CONDITIONS)
        completing.once, completing.request_id = True, request.request_id
        return await pusher.ask(completing)
    finally:
        aborter.in_use.discard(upload_id)
        queue.engine.wake()


async def _nothing(_number: int, _etag: str) -> None:
    """Parts are not remembered: who comes again begins anew."""


async def _forget(queue: Queue, call: Accepted, prepared: Prepared, response: S3Response) -> None:
    """The remote has it. A repeated request gets the same answer."""
    assert isinstance(response.body, bytes)  # noqa: S101  `ask` reads it
    answer = codec.parse_response("CompleteMultipartUpload", response, response.body)
    kept = {name: value for name, value in answer.items() if isinstance(value, str)}

    def change(connection: Connection) -> None:
        uploads.find(connection, queue.store.bucket(call.bucket), call.key, prepared.upload.upload_id)
        uploads.remove(connection, queue.store.bodies, prepared.upload.id)
        connection.execute("DELETE FROM upload_request WHERE upload = ?", (prepared.upload.id,))
        complete.remember(connection, prepared.upload, kept)

    try:
        await queue.store.database.change(change)
    except S3Error as error:
        if error.code != "NoSuchUpload":  # aborted by its client meanwhile
            raise
    queue.settle()


def _operation(queue: Queue, call: Accepted, prepared: Prepared) -> Operation:
    """As if it were in the journal."""
    row = queue.store.reader.execute(_HEADERS, (prepared.upload.id,)).fetchone()
    headers = row[0] if row else "[]"
    size = prepared.version.size
    rest = (None, 0, 0.0, None, 0, None)
    return Operation(0, call.bucket, call.key, UPLOAD, PENDING, time.time(), None, size, headers, *rest)


def _body(queue: Queue, prepared: Prepared, part: Part) -> PartBody:
    """What is read of a part, and its MD5."""
    if part.body is None:
        return [], []
    alone = dataclasses.replace(prepared.version, body=part.body, upload=None)
    return list(queue.journal.segments(alone)), queue.journal.digests(alone)


def _as_answer(error: Refusal) -> S3Error:
    """What the client is told of a push that it waits for."""
    if error.code in STATUS and not error.ambiguous:
        return S3Error(error.code, error.message)
    if error.code == DAMAGED:
        return S3Error("InternalError", error.message)
    message = f"The remote S3 answers {error.code}: {error.message}"
    return S3Error("ServiceUnavailable", message, headers={"Retry-After": "5"})
