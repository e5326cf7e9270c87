"""Completing with a condition an upload that is here: the remote judges it, and until then nothing is given away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import Refused, call
from unit.write_queue.pushing import until
from unit.write_queue.test_engine import Faulty

from s3d.s3 import codec
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig

AT = {"Bucket": "bucket", "Key": "k"}
BUCKET = {"Bucket": "bucket"}
LARGE = b"l" * (5 << 20)


@pytest.fixture
async def remote() -> Faulty:
    remote = Faulty()
    await remote.inner(codec.build_request("CreateBucket", BUCKET))
    return remote


@pytest.fixture
async def queue(tmp_path: Path, remote: Faulty) -> AsyncIterator[WriteQueue]:
    queue = WriteQueue(WriteQueueConfig(tmp_path / "queue", free_space=0, max_wait=0.5), remote)
    await queue.open()
    yield queue
    await queue.close()


async def begun(queue: WriteQueue, *parts: bytes) -> dict[str, Any]:
    """The members that complete an upload with these parts."""
    create = {**AT, "Metadata": {"m": "1"}, "Tagging": "t=1", "ContentType": "text/plain"}
    upload = {**AT, "UploadId": (await call(queue, "CreateMultipartUpload", create))["UploadId"]}
    entries = [
        {
            "PartNumber": number,
            "ETag": (await call(queue, "UploadPart", {**upload, "PartNumber": number}, part))["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    return {**upload, "MultipartUpload": {"Parts": entries}, "IfNoneMatch": "*"}


async def at_the_remote(remote: Faulty) -> list[Any]:
    found: list[Any] = (await call(remote.inner, "ListMultipartUploads", BUCKET)).get("Uploads") or []
    return found


async def completed(queue: WriteQueue, members: dict[str, Any]) -> S3Response:
    return await queue(codec.build_request("CompleteMultipartUpload", members))


async def test_it_is_the_remote_that_completes_it(queue: WriteQueue, remote: Faulty) -> None:
    members = await begun(queue, LARGE, b"end")
    await call(queue, "UploadPart", {**AT, "UploadId": members["UploadId"], "PartNumber": 9}, b"not named")
    response = await completed(queue, members)
    assert (response.status, response.headers["x-s3d-state"]) == (200, "remote")
    assert await remote.stored("k") == LARGE + b"end"
    there = await call(remote.inner, "HeadObject", AT)
    assert (there["Metadata"], there["ContentType"]) == ({"m": "1"}, "text/plain")
    tags = await call(remote.inner, "GetObjectTagging", AT)
    assert tags["TagSet"] == [{"Key": "t", "Value": "1"}]
    assert (queue.document()["bytes"], queue.document()["files"]) == (0, 0)
    await until(lambda: not queue._queue.journal.abandoned(9))
    assert await at_the_remote(remote) == []


async def test_a_repeated_request_gets_the_same_answer(queue: WriteQueue, remote: Faulty) -> None:
    """Contract 12; the condition held when it was judged."""
    members = await begun(queue, b"one")
    first = codec.parse_response("CompleteMultipartUpload", *_with_body(await completed(queue, members)))
    seen = len(remote.seen)
    again = await completed(queue, members)
    assert again.headers["x-s3d-state"] == "remote"
    second = codec.parse_response("CompleteMultipartUpload", *_with_body(again))
    assert (second["ETag"], second["Key"]) == (first["ETag"], first["Key"])
    assert [r.operation for r in remote.seen[seen:]] == []


def _with_body(response: S3Response) -> tuple[S3Response, bytes]:
    assert isinstance(response.body, bytes)
    return response, response.body


async def test_a_condition_that_does_not_hold_leaves_the_upload(queue: WriteQueue, remote: Faulty) -> None:
    members = await begun(queue, b"one")
    await call(queue, "PutObject", AT, b"there")  # pending: it is pushed first
    with pytest.raises(Refused, match="PreconditionFailed"):
        await call(queue, "CompleteMultipartUpload", members)
    assert await remote.stored("k") == b"there"
    parts = await call(queue, "ListParts", {**AT, "UploadId": members["UploadId"]})
    assert [part["Size"] for part in parts["Parts"]] == [3]
    await until(lambda: not queue._queue.journal.abandoned(9))
    assert await at_the_remote(remote) == []
    await call(queue, "DeleteObject", AT)
    assert (await completed(queue, members)).status == 200
    assert await remote.stored("k") == b"one"


async def test_what_is_wrong_with_the_request_asks_no_remote(queue: WriteQueue, remote: Faulty) -> None:
    members = await begun(queue, b"small", b"end")
    seen = len(remote.seen)
    with pytest.raises(S3Error, match="EntityTooSmall"):
        await completed(queue, members)
    parts = [{"PartNumber": 7, "ETag": '"0"'}]
    with pytest.raises(S3Error, match="InvalidPart"):
        await completed(queue, members | {"MultipartUpload": {"Parts": parts}})
    assert remote.seen[seen:] == []


async def test_one_that_is_away(queue: WriteQueue, remote: Faulty) -> None:
    members = await begun(queue, b"one")

    def away(request: S3Request) -> None:
        raise RemoteUnreachable("The remote S3 is away: test")

    for operation in ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"):
        remote.before = lambda request, at=operation: away(request) if request.operation == at else None
        with pytest.raises(RemoteUnreachable):
            await completed(queue, members)
        remote.before = lambda request: None
    assert await remote.stored("k") is None
    assert (await completed(queue, members)).status == 200
    await until(lambda: not queue._queue.journal.abandoned(9))
    assert await at_the_remote(remote) == []


async def test_one_that_refuses_the_upload(queue: WriteQueue, remote: Faulty) -> None:
    members = await begun(queue, b"one")
    for code, told in (("AccessDenied", "AccessDenied"), ("SlowDown", "ServiceUnavailable")):

        def refuse(request: S3Request, code: str = code) -> None:
            if request.operation == "UploadPart":
                raise S3Error(code)

        remote.before = refuse
        with pytest.raises(S3Error) as caught:
            await completed(queue, members)
        assert caught.value.code == told
    remote.before = lambda request: None
    assert (await completed(queue, members)).status == 200


async def test_it_goes_on_without_its_client(queue: WriteQueue, remote: Faulty) -> None:
    members = await begun(queue, b"one")
    remote.turn = asyncio.Event()
    client = asyncio.get_running_loop().create_task(completed(queue, members))
    await until(lambda: remote.under_way)
    client.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await client
    again = asyncio.get_running_loop().create_task(completed(queue, members))
    await asyncio.sleep(0.02)
    remote.turn.set()
    assert (await again).status == 200
    assert await remote.stored("k") == b"one"
    assert len(remote.names("CompleteMultipartUpload")) == 1


async def test_nobody_sees_the_upload_at_the_remote(queue: WriteQueue, remote: Faulty) -> None:
    members = await begun(queue, b"one")
    remote.turn = asyncio.Event()
    client = asyncio.get_running_loop().create_task(completed(queue, members))
    await until(lambda: remote.under_way)
    remote.turn.set()
    await until(lambda: remote.names("UploadPart"))
    listed = await call(queue, "ListMultipartUploads", BUCKET)
    assert [upload["UploadId"] for upload in listed.get("Uploads") or []] in ([members["UploadId"]], [])
    await client
    assert "Uploads" not in await call(queue, "ListMultipartUploads", BUCKET)


async def test_a_stop_leaves_it_here(tmp_path: Path, remote: Faulty) -> None:
    config = WriteQueueConfig(tmp_path / "queue", free_space=0, max_wait=0.5)
    first = WriteQueue(config, remote)
    await first.open()
    members = await begun(first, b"one")

    def hold(request: S3Request) -> None:
        if request.operation == "UploadPart":
            remote.turn = asyncio.Event()

    remote.before = hold
    client = asyncio.get_running_loop().create_task(completed(first, members))
    await until(lambda: remote.turn is not None)
    await first.close()
    with pytest.raises(asyncio.CancelledError):
        await client
    remote.before, remote.turn = lambda request: None, None
    assert len(await at_the_remote(remote)) == 1
    second = WriteQueue(config, remote)
    await second.open()
    await until(lambda: not second._queue.journal.abandoned(9))
    assert await at_the_remote(remote) == []
    assert (await completed(second, members)).status == 200
    assert await remote.stored("k") == b"one"
    await second.close()


async def test_a_part_that_is_sent_again_meanwhile_is_no_damage(queue: WriteQueue, remote: Faulty) -> None:
    members = await begun(queue, LARGE, b"end")
    remote.turn = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        completing = tasks.create_task(outcome(queue, members))
        await until(lambda: remote.under_way)
        again = {**AT, "UploadId": members["UploadId"], "PartNumber": 1}
        await call(queue, "UploadPart", again, b"m" * len(LARGE))
        await asyncio.sleep(0.2)  # the file of the part before goes
        remote.turn.set()
    assert completing.result() in ("InvalidPart", None)


async def outcome(queue: WriteQueue, members: dict[str, Any]) -> str | None:
    """The code of the error, None: it was completed."""
    try:
        await call(queue, "CompleteMultipartUpload", members)
    except Refused as error:
        return error.code
    return None
