"""Uploads at the remote that nobody will complete are aborted there, sooner or later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from unit.write_queue.opened import BUCKET, Opened
from unit.write_queue.pushing import LOST, answer, refused, until
from unit.write_queue.test_engine import Running, running
from unit.write_queue.test_push_upload import upload

from s3d.s3 import codec
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request
from s3d.write_queue.operation import Abandoned, Operation

pytestmark = pytest.mark.usefixtures("soon")


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3d.write_queue.abort._FIRST", 0.01)
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.01)


async def begun(queue: Opened, key: str = "k") -> Operation:
    """An upload of which the remote has a part, as far as the journal knows."""
    await upload(queue, key)
    operation = queue.newest()
    await queue.journal.upload_begun(operation, f"begun-{key}")
    return operation


async def at_the_remote(it: Running, key: str = "k") -> str:
    """A real one: its UploadId."""
    response = await it.remote.inner(codec.build_request("CreateMultipartUpload", {"Bucket": BUCKET, "Key": key}))
    assert isinstance(response.body, bytes)
    found: str = codec.parse_response("CreateMultipartUpload", response, response.body)["UploadId"]
    return found


async def open_uploads(it: Running) -> int:
    response = await it.remote.inner(codec.build_request("ListMultipartUploads", {"Bucket": BUCKET}))
    assert isinstance(response.body, bytes)
    return len(codec.parse_response("ListMultipartUploads", response, response.body).get("Uploads") or [])


async def all_aborted(it: Running) -> None:
    await until(lambda: not it.queue.journal.abandoned(9))


async def test_of_what_is_replaced_while_it_waits(tmp_path: Path) -> None:
    async with running(tmp_path, versioning="", start=False) as it:
        await upload(it.queue, "k")
        await it.queue.journal.upload_begun(it.queue.newest(), await at_the_remote(it))
        await it.queue.put("k", b"new")
        assert len(it.queue.states()) == 1
        it.engine.start()
        await it.drained()
        await all_aborted(it)
        assert await open_uploads(it) == 0
        assert await it.remote.stored("k") == b"new"


async def test_of_what_is_dropped(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        await it.queue.journal.upload_begun(it.queue.newest(), await at_the_remote(it))
        await it.queue.journal.drop(it.queue.newest())
        it.engine.start()
        await all_aborted(it)
        assert await open_uploads(it) == 0


async def test_of_what_was_dropped_before_its_id_was_known(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        operation = it.queue.newest()
        await it.queue.journal.drop(operation)
        await it.queue.journal.upload_begun(operation, "late")
        assert it.queue.journal.abandoned(9) == [Abandoned(BUCKET, b"k", "late")]


async def test_what_arrived_needs_none(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        it.engine.start()
        await it.drained()
        assert it.remote.names("AbortMultipartUpload") == []
        assert await open_uploads(it) == 0


async def test_they_are_not_shown_until_they_are_gone(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        operation = await begun(it.queue)
        assert it.queue.journal.remote_uploads(BUCKET) == {"begun-k"}
        await it.queue.journal.drop(operation)
        assert it.queue.journal.remote_uploads(BUCKET) == {"begun-k"}
        it.engine.start()  # the remote does not have it: NoSuchUpload is as good
        await all_aborted(it)
        assert it.queue.journal.remote_uploads(BUCKET) == set()


async def test_it_is_tried_until_the_remote_answers(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await it.queue.journal.abandon(Abandoned(BUCKET, b"k", await at_the_remote(it)))
        left = [LOST, S3Error("SlowDown"), LOST]

        def fault(request: S3Request) -> None:
            if request.operation == "AbortMultipartUpload" and left:
                raise left.pop()

        it.remote.before = fault
        it.engine.start()
        await all_aborted(it)
        assert len(it.remote.names("AbortMultipartUpload")) == 4
        assert await open_uploads(it) == 0


async def test_what_may_not_be_aborted_is_left_to_the_remote(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        for key in (b"k", b"l"):
            await it.queue.journal.abandon(Abandoned(BUCKET, key, "id"))
        answer(it, "AbortMultipartUpload", refused("AccessDenied"))
        it.engine.start()
        await all_aborted(it)
        assert it.remote.names("AbortMultipartUpload") == ["k", "l"]


async def test_nothing_is_sent_while_the_queue_is_paused(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        it.engine.pause()
        await it.queue.journal.abandon(Abandoned(BUCKET, b"k", "id"))
        it.engine.start()
        assert await it.engine.flush(0.1) == 0
        assert it.remote.seen == []
        it.engine.resume()
        await all_aborted(it)


async def test_nor_is_what_somebody_is_about_to_complete(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        it.engine.aborter.in_use.add("used")
        for key, upload_id in ((b"k", "used"), (b"l", "other")):
            await it.queue.journal.abandon(Abandoned(BUCKET, key, upload_id))
        it.engine.start()
        await until(lambda: len(it.queue.journal.abandoned(9)) == 1)
        assert it.remote.names("AbortMultipartUpload") == ["l"]
        it.engine.aborter.in_use.clear()
        it.engine.wake()
        await all_aborted(it)


async def test_one_that_cannot_be_aborted_does_not_hold_up_others(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:

        def fault(request: S3Request) -> None:
            if request.operation == "AbortMultipartUpload" and request.bucket == "aaa":
                raise S3Error("SlowDown")

        it.remote.before = fault
        for number in range(3):
            await it.queue.journal.abandon(Abandoned("aaa", b"k", f"u{number}"))
        await it.queue.journal.abandon(Abandoned(BUCKET, b"k", "other"))
        it.engine.start()
        await until(lambda: {upload.bucket for upload in it.queue.journal.abandoned(9)} == {"aaa"})


async def test_a_long_pause_makes_no_long_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0.001)

    monkeypatch.setattr("s3d.write_queue.abort.asyncio.sleep", counted)
    async with running(tmp_path, start=False) as it:
        it.engine.pause()
        await it.queue.journal.abandon(Abandoned(BUCKET, b"k", "gone"))
        it.engine.start()
        await until(lambda: slept.count(0.01) > 10)
        it.engine.resume()
        await all_aborted(it)
        assert max(slept) <= 0.02
