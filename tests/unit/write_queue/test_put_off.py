"""Operations that are put off: for how long, whose fault it is, and what is known of those that were never sent."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from conformance.calling import call
from unit.write_queue.opened import BUCKET
from unit.write_queue.pushing import LOST, until
from unit.write_queue.test_engine import running
from unit.write_queue.test_push_upload import upload

from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request

AT = {"Bucket": BUCKET, "Key": "k"}


async def test_a_clock_that_was_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, ahead = time.time, [365 * 86400.0]
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k", b"one")
        left = [S3Error("RequestTimeTooSkewed")]

        def fault(request: S3Request) -> None:
            if request.operation == "PutObject" and left:
                raise left.pop()

        it.remote.before = fault
        it.engine.start()
        await until(lambda: it.queue.newest().next_attempt)
        ahead[0] = 0.0
        it.engine.wake()
        await it.drained()
        assert await it.remote.stored("k") == b"one"


async def test_lost_connections_do_not_make_the_wait_after_a_refusal_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3d.write_queue.away._FIRST", 0.01)
    monkeypatch.setattr("s3d.write_queue.losses._AT_ONCE", 100)
    waited: list[int] = []
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda times: waited.append(times) or 0.01)
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k", b"one")
        faults: list[Exception] = [S3Error("ExpiredToken"), S3Error("ExpiredToken"), *[LOST] * 9]

        def fault(request: S3Request) -> None:
            if request.operation == "PutObject" and faults:
                raise faults.pop()

        it.remote.before = fault
        it.engine.start()
        await it.drained()
        assert waited == [1, 2]


async def test_the_own_disk_is_not_the_remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, start=False) as it:
        await upload(it.queue, "k")
        await upload(it.queue, "l")

        async def full(*_: object) -> None:
            raise S3Error("SlowDown", "no room on the disk")

        monkeypatch.setattr(it.queue.journal, "part_pushed", full)
        it.engine.start()
        await until(lambda: all(operation.next_attempt for operation in it.queue.journal.page(None, 0, 9)))
        assert it.engine._rest.workers(4) == 4


async def test_an_operation_whose_row_is_gone_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k", b"one")
        await it.queue.store.database.change(lambda c: c.execute("DELETE FROM object") and None)
        it.engine.start()
        await it.drained()
        assert it.queue.states() == [("k", "put", "failed")]
        assert "failed for good" in caplog.text


@pytest.mark.parametrize(
    ("before", "headers"),
    [
        ({}, {"x_amz_acl": "public-read"}),
        ({"ContentEncoding": "gzip"}, {}),
        ({"CacheControl": "max-age=1"}, {}),
        ({"ContentDisposition": "attachment"}, {}),
        ({"WebsiteRedirectLocation": "/x"}, {}),
    ],
)
@pytest.mark.parametrize("crash", [False, True])
async def test_the_same_bytes_with_other_properties_are_sent(
    tmp_path: Path, before: dict[str, Any], headers: dict[str, str], *, crash: bool
) -> None:
    async with running(tmp_path, versioning="", workers=1, start=False) as it:
        await call(it.remote.inner, "PutObject", AT | before, b"same")
        await it.queue.put("first", b"1")
        await it.queue.put("k", b"same", **headers)
        lost = [LOST]

        def lose(request: S3Request) -> None:
            if request.key == "first" and lost:
                raise lost.pop()

        it.remote.after = lose
        if crash:  # begun, and nobody knows any more that it was not sent
            await it.queue.journal.begin(it.queue.newest())
            it.engine.start()
        else:
            it.remote.turn = asyncio.Event()
            it.engine.start()
            await until(lambda: it.queue.states()[-1][2] == "pushing")  # ahead of its turn
            assert "k" not in it.remote.names("PutObject")
            it.remote.turn.set()
        await it.drained()
        assert "k" in it.remote.names("PutObject")


async def test_what_was_not_sent_is_pending_again(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1, start=False) as it:
        await it.queue.put("first", b"1")
        await it.queue.put("k", b"2")
        it.remote.turn = asyncio.Event()
        it.engine.start()
        await until(lambda: it.queue.states() == [("first", "put", "pushing"), ("k", "put", "pushing")])
        await it.engine.stop(0)
        await it.queue.store.database.flush()
        assert it.queue.states() == [("first", "put", "pushing"), ("k", "put", "pending")]
        assert it.queue.newest().attempts == 0
