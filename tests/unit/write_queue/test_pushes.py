"""What goes wrong with pushes beside the plain cases of `test_engine`: answers that decide nothing, operations that would
be in the way of others."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from unit.write_queue.opened import BUCKET
from unit.write_queue.pushing import LOST, answer, bare, current, refused, until, versions
from unit.write_queue.test_engine import LARGE, once, put_request, running

from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.write_queue.operation import SMALL


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put off waits for no time that a test would notice."""
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.05)


# Looking.


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("status", [400, 429, 500, 503])
@pytest.mark.parametrize("kind", ["put", "delete"])
async def test_a_look_without_an_outcome_is_repeated(tmp_path: Path, status: int, kind: str) -> None:
    """What it was asked about may be there: it is not sent again before somebody knows."""
    async with running(tmp_path, versioning="Enabled", start=False) as it:
        await (it.queue.put("k") if kind == "put" else it.queue.do("DeleteObject", {"Key": "k"}))
        operation = "PutObject" if kind == "put" else "DeleteObject"
        it.remote.after = once(LOST, operation)
        answer(it, "HeadObject", bare(status), bare(status))
        it.engine.start()
        await it.drained()
        assert len(it.remote.names(operation)) == 1
        assert len(it.remote.names("HeadObject")) == 3
        assert await versions(it, "Versions" if kind == "put" else "DeleteMarkers") == 1


@pytest.mark.usefixtures("soon")
async def test_credentials_that_expired_between_two_attempts_fail_nothing(tmp_path: Path) -> None:
    """The answer to HEAD has no code: one that looks like AccessDenied can be a clock or a token."""
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        it.remote.before = once(LOST, "PutObject")
        answer(it, "HeadObject", bare(403))
        it.engine.start()
        await until(lambda: len(it.remote.names("PutObject")) == 2)
        await it.drained()
        assert it.queue.states() == []
        assert await it.remote.stored("k") == b"body"


async def test_who_may_not_look_sends_again(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        it.remote.after = once(LOST, "PutObject")
        answer(it, "HeadObject", *[bare(403)] * 5)
        it.engine.start()
        await it.drained()
        assert it.remote.names("PutObject") == ["k", "k"]


@pytest.mark.parametrize(
    ("before", "accepted"),
    [
        ({"x-amz-storage-class": "GLACIER"}, {}),
        ({}, {"x_amz_storage_class": "GLACIER"}),
        ({"x-amz-tagging": "a=b"}, {}),
        ({"x-amz-tagging": "a=b"}, {"x_amz_tagging": "a=c"}),
        ({"x-amz-meta-a": "1"}, {}),
        ({"Content-Type": "text/a"}, {"Content_Type": "text/b"}),
        ({}, {"Cache_Control": "no-cache"}),
    ],
)
async def test_the_same_bytes_with_something_else_are_not_it(
    tmp_path: Path, before: dict[str, str], accepted: dict[str, str]
) -> None:
    async with running(tmp_path, start=False) as it:
        await it.remote.inner(put_request("k", b"body", before))
        await it.queue.put("k", **accepted)
        it.remote.before = once(LOST, "PutObject")
        it.engine.start()
        await it.drained()
        assert it.remote.names("PutObject") == ["k", "k"]


async def test_found_by_its_checksum_where_the_etag_says_nothing(tmp_path: Path) -> None:
    checksum = base64.b64encode(hashlib.sha256(b"body").digest()).decode()

    async with running(tmp_path, versioning="Enabled", start=False) as it:
        await it.queue.put("k", x_amz_checksum_sha256=checksum)
        it.remote.after = once(LOST, "PutObject")
        headers = {"ETag": '"kms"', "Content-Length": "4", "Content-Type": "binary/octet-stream"}
        response = S3Response(200)
        response.headers.extend(headers | {"x-amz-checksum-sha256": checksum})
        answer(it, "HeadObject", response)
        it.engine.start()
        await it.drained()
        assert it.remote.names("PutObject") == ["k"]
        asked = next(request for request in it.remote.seen if request.operation == "HeadObject")
        assert asked.headers["x-amz-checksum-mode"] == "ENABLED"


# Confirming.


def encrypted(etag: str = '"0123456789abcdef0123456789abcdef"') -> S3Response:
    response = S3Response(200)
    response.headers.extend({"ETag": etag, "x-amz-server-side-encryption": "aws:kms"})
    return response


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("status", [200, 403])
async def test_encrypted_with_a_key_of_the_remote(tmp_path: Path, status: int) -> None:
    """The length has to do; also who may not ask for that knows that the remote compared Content-MD5."""
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        answer(it, "PutObject", encrypted())
        head = bare(status)
        head.headers["Content-Length"] = "4"
        answer(it, "HeadObject", head)
        it.engine.start()
        await it.drained()
        assert (it.remote.names("PutObject"), it.remote.names("HeadObject")) == (["k"], ["k"])


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("status", [400, 404, 503])
async def test_an_answer_that_could_not_be_confirmed_is_looked_for(tmp_path: Path, status: int) -> None:
    async with running(tmp_path, versioning="Enabled", start=False) as it:
        operation = await it.queue.put("k")
        await it.remote.inner(put_request("k", b"body", {}))  # it did arrive
        answer(it, "PutObject", encrypted())
        answer(it, "HeadObject", bare(status))
        it.engine.start()
        await it.drained()
        assert it.queue.journal.find(operation.seq) is None
        assert it.remote.names("PutObject") == ["k"]
        assert await versions(it) == 1


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("kind", ["put", "delete"])
async def test_a_page_of_something_in_front_of_the_remote_confirms_nothing(tmp_path: Path, kind: str) -> None:
    async with running(tmp_path, start=False) as it:
        await it.remote.inner(put_request("k", b"other", {}))
        await (it.queue.put("k") if kind == "put" else it.queue.do("DeleteObject", {"Key": "k"}))
        page = S3Response(200, body=b"\n<!DOCTYPE html><title>Log in</title>")
        answer(it, "PutObject" if kind == "put" else "DeleteObject", page)
        it.engine.start()
        await it.drained()
        assert await it.remote.stored("k") == (b"body" if kind == "put" else None)


# Waiting.


async def test_one_that_is_put_off_is_not_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits, also where somebody waits for it, and others go on."""
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 60.0)
    async with running(tmp_path, workers=2, start=False) as it:
        operation = await it.queue.put("bad")
        for number in range(10):
            await it.queue.put(f"k{number}")
        answer(it, "PutObject", refused("ConditionalRequestConflict"))
        it.engine.start()
        with pytest.raises(RemoteUnreachable, match="not pushed within"):
            await it.engine.flush_key(BUCKET, b"bad", 1.0)
        assert it.remote.names("PutObject").count("bad") == 1
        await until(lambda: len(it.queue.states()) == 1)
        assert current(it, operation).next_attempt > time.time() + 30


async def test_one_that_breaks_every_connection_is_not_in_the_way(tmp_path: Path) -> None:
    async with running(tmp_path, workers=1, start=False) as it:
        await it.queue.put("bad")
        for number in range(20):
            await it.queue.put(f"k{number}")

        def breaks(request: S3Request) -> None:
            if request.key == "bad" and request.operation == "PutObject":
                raise LOST

        it.remote.before = breaks
        it.engine.start()
        await until(lambda: len(it.queue.states()) == 1)
        assert it.remote.names("PutObject").count("bad") <= 5
        assert [key for key, _, _ in it.queue.states()] == ["bad"]


@pytest.mark.usefixtures("soon")
async def test_the_time_of_one_comes_while_another_is_sent(tmp_path: Path) -> None:
    """A large one, tried for the second time, takes long; what is due meanwhile is begun."""
    async with running(tmp_path, workers=3, start=False) as it:
        inner, go, attempts = it.remote.inner, asyncio.Event(), Counter[str | None]()

        async def scripted(request: S3Request) -> S3Response:
            if request.operation == "PutObject":
                attempts[request.key] += 1
                if attempts[request.key] == 1:
                    return refused("ConditionalRequestConflict")
                if request.key == "large":
                    await go.wait()
            return await inner(request)

        it.remote.inner = scripted  # type: ignore[assignment]  # as the engine sees it
        await it.queue.put("large", b"x" * (SMALL + 1))
        it.engine.start()
        await until(lambda: attempts["large"] == 2)
        await it.queue.put("small")
        it.engine.wake()
        await until(lambda: attempts["small"] == 2)
        go.set()
        await it.drained()


async def test_one_that_is_dropped_while_it_is_sent_cannot_overtake(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        dropped = await it.queue.put("k", b"dropped")
        it.remote.turn = asyncio.Event()
        it.engine.start()
        await until(lambda: it.remote.under_way)
        await it.queue.journal.drop(current(it, dropped))
        await it.queue.put("k", b"later")
        await it.queue.put("other")
        it.engine.wake()
        await until(lambda: it.remote.under_way == 2)
        assert it.remote.names("PutObject") == ["k", "other"]
        it.remote.turn.set()
        await it.drained()
        assert await it.remote.stored("k") == b"later"


async def test_who_waits_when_it_stops_is_told(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k")
        it.remote.turn = asyncio.Event()
        it.engine.start()
        loop = asyncio.get_running_loop()
        waiting = loop.create_task(it.engine.flush_key(BUCKET, b"k", 60)), loop.create_task(it.engine.flush(None))
        await until(lambda: it.remote.under_way)
        await it.engine.stop(0)
        async with asyncio.timeout(10):
            with pytest.raises(RemoteUnreachable, match="stopping"):
                await waiting[0]
            assert await waiting[1] == 1


async def test_stop_drains(tmp_path: Path) -> None:
    async with running(tmp_path, start=False) as it:
        for number in range(50):
            await it.queue.put(f"k{number}")
        it.engine.start()
        assert await it.engine.stop(15) == 0
        assert len(it.remote.names("PutObject")) == 50


async def test_a_journal_that_cannot_be_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("s3d.write_queue.engine._AFTER_DISK", 0.05)
    monkeypatch.setattr("s3d.write_queue.engine._AFTER_DEFECT", 0.05)
    async with running(tmp_path, versioning="Enabled", start=False) as it:
        await it.queue.put("k")
        done, put_off = it.queue.journal.done, it.queue.journal.put_off
        failures = [S3Error("SlowDown"), ZeroDivisionError()]

        def failing(inner: Any) -> Any:
            async def fails(*arguments: Any, **named: Any) -> None:
                if failures:
                    raise failures.pop()
                await inner(*arguments, **named)

            return fails

        monkeypatch.setattr(it.queue.journal, "done", failing(done))
        monkeypatch.setattr(it.queue.journal, "put_off", failing(put_off))
        it.engine.start()
        await it.drained()
        assert it.remote.names("PutObject") == ["k"]  # it was found
        assert await versions(it) == 1
    caplog.clear()


async def test_a_file_that_cannot_be_opened_is_not_the_remote_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Too many open files would look like a connection that broke."""
    monkeypatch.setattr("s3d.write_queue.engine.delay", lambda attempts: 0.05)
    async with running(tmp_path, start=False) as it:
        await it.queue.put("k", LARGE)
        bodies, failures = it.queue.store.bodies, [OSError(24, "Too many open files")] * 2
        opens = bodies.open_file

        def fails(file: str) -> int:
            if failures:
                raise failures.pop()
            return opens(file)

        monkeypatch.setattr(bodies, "open_file", fails)
        it.engine.start()
        await it.drained()
        assert it.remote.names("HeadBucket") == []
        assert await it.remote.stored("k") == LARGE
    assert "met a defect" not in caplog.text
    caplog.clear()
